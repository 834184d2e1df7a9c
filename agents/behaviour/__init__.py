"""Stage 2 of single calls: prompt versions, shadows beside live calls, repeated questions, and what a judge should see."""
