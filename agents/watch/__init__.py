"""Numbers that somebody named (``[[watch]]``), followed by interval and series."""
