"""What commands print: facts to text and JSON, a file for each command."""
