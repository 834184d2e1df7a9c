"""The words of alerts, from their facts alone: the same alert in any language, when it is published or on a page.

Detectors say what they found as plain data (``Finding.facts``); an alert carries it in ``evidence.facts``, with how it went so far
(``course``). ``texts.py`` puts it into the sentences of ``english.py`` or ``portuguese.py``, ``numbers.py`` writes the numbers.
"""
