SELECT nullif(count(CASE WHEN (dq_keys.dq_column0 IS NOT NULL) THEN 1 END), 0) AS m0, CAST(count(CASE WHEN (dq_keys.dq_column0 IS NOT NULL) THEN 1 END) AS DOUBLE PRECISION) / (CAST(sum(CASE WHEN (dq_keys.dq_column0 IS NOT NULL) THEN dq_keys.dq_count END) AS DOUBLE PRECISION) + 0.0) AS m1 
FROM (SELECT (CAST(dq_rows.dq_column0 AS NVARCHAR(MAX)) COLLATE Latin1_General_100_BIN2) AS dq_column0, count(*) AS dq_count 
FROM (SELECT [email] AS dq_column0 
FROM [analytics].[orders]) AS dq_rows GROUP BY (CAST(dq_rows.dq_column0 AS NVARCHAR(MAX)) COLLATE Latin1_General_100_BIN2)) AS dq_keys
