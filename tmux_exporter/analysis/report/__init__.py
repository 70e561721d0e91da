"""One sample's facts and conclusions added up into a Report."""
