SELECT nullif(count(CASE WHEN (dq_keys.dq_column0 IS NOT NULL) THEN 1 END), 0) AS m0, CAST(count(CASE WHEN (dq_keys.dq_column0 IS NOT NULL) THEN 1 END) AS DOUBLE PRECISION) / CAST(CAST(sum(CASE WHEN (dq_keys.dq_column0 IS NOT NULL) THEN dq_keys.dq_count END) AS DOUBLE PRECISION) AS DOUBLE PRECISION) AS m1 
FROM (SELECT COLLATE(dq_rows.dq_column0, 'case_sensitive') AS dq_column0, count(*) AS dq_count 
FROM (SELECT "email" AS dq_column0 
FROM "analytics"."orders") AS dq_rows GROUP BY COLLATE(dq_rows.dq_column0, 'case_sensitive')) AS dq_keys
