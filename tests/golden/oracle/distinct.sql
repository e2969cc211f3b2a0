SELECT nullif(count(CASE WHEN (dq_keys.dq_column0 IS NOT NULL) THEN 1 END), 0) AS m0, CAST(count(CASE WHEN (dq_keys.dq_column0 IS NOT NULL) THEN 1 END) AS BINARY_DOUBLE) / CAST(sum(CASE WHEN (dq_keys.dq_column0 IS NOT NULL) THEN dq_keys.dq_count END) AS BINARY_DOUBLE) AS m1 
FROM (SELECT (CAST(dq_rows.dq_column0 AS VARCHAR2(4000)) COLLATE BINARY) AS dq_column0, count(*) AS dq_count 
FROM (SELECT "EMAIL" AS dq_column0 
FROM "ANALYTICS"."ORDERS") dq_rows GROUP BY (CAST(dq_rows.dq_column0 AS VARCHAR2(4000)) COLLATE BINARY)) dq_keys
