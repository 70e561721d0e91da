"""What several sources share: files of others read warily, answers kept for a minute."""
