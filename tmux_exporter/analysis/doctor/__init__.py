"""What `doctor` concludes."""
