-- An answer that comes when the sums of its request are closed is a part of its own: it takes back what was counted as unanswered, so a
-- part may be negative. Their sums never are.

ALTER TABLE mirante.cost_parts MODIFY COLUMN requests Int64 DEFAULT 0, MODIFY COLUMN unanswered Int64 DEFAULT 0;
