SELECT sum(CASE WHEN (dq_keys.dq_column0 IS NOT NULL AND dq_keys.dq_column1 IS NOT NULL) THEN dq_keys.dq_count END) AS m0, count(CASE WHEN (dq_keys.dq_column0 IS NOT NULL AND dq_keys.dq_column1 IS NOT NULL) THEN 1 END) AS m1, sum(CASE WHEN (dq_keys.dq_column0 IS NOT NULL AND dq_keys.dq_column1 IS NOT NULL) THEN dq_keys.dq_count - :dq_count_1 END) AS m2, count(CASE WHEN (dq_keys.dq_column0 IS NOT NULL AND dq_keys.dq_column1 IS NOT NULL AND dq_keys.dq_count > :dq_count_2) THEN 1 END) AS m3 
FROM (SELECT dq_rows.dq_column0 AS dq_column0, (CAST(dq_rows.dq_column1 AS VARCHAR2(4000)) COLLATE BINARY) AS dq_column1, count(*) AS dq_count 
FROM (SELECT "ID" AS dq_column0, "NAME" AS dq_column1 
FROM "ANALYTICS"."ORDERS") dq_rows GROUP BY dq_rows.dq_column0, (CAST(dq_rows.dq_column1 AS VARCHAR2(4000)) COLLATE BINARY)) dq_keys
-- dq_count_1: 1
-- dq_count_2: 1
