SELECT sum(CASE WHEN (dq_keys.dq_column0 IS NOT NULL AND dq_keys.dq_column1 IS NOT NULL) THEN dq_keys.dq_count END) AS m0, count(CASE WHEN (dq_keys.dq_column0 IS NOT NULL AND dq_keys.dq_column1 IS NOT NULL) THEN 1 END) AS m1, sum(CASE WHEN (dq_keys.dq_column0 IS NOT NULL AND dq_keys.dq_column1 IS NOT NULL) THEN dq_keys.dq_count - :`dq_count_1` END) AS m2, count(CASE WHEN (dq_keys.dq_column0 IS NOT NULL AND dq_keys.dq_column1 IS NOT NULL AND dq_keys.dq_count > :`dq_count_2`) THEN 1 END) AS m3 
FROM (SELECT dq_rows.dq_column0 AS dq_column0, (dq_rows.dq_column1 COLLATE UTF8_BINARY) AS dq_column1, count(*) AS dq_count 
FROM (SELECT `id` AS dq_column0, `name` AS dq_column1 
FROM `analytics`.`orders`) AS dq_rows GROUP BY dq_rows.dq_column0, (dq_rows.dq_column1 COLLATE UTF8_BINARY)) AS dq_keys
-- dq_count_1: 1
-- dq_count_2: 1
