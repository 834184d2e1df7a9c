"""Labels: the probability that an answer satisfied its user, from what users say and do."""
