"""What users talk about: their questions cluster online, by feature."""
