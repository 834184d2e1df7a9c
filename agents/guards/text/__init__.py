"""Classifiers of short texts: refusals and injection attempts, in English and Portuguese."""
