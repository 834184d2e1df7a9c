"""How the text models were made. Not part of the wheel."""
