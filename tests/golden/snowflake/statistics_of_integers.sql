SELECT min("ID") AS m0, max("ID") AS m1, sum("ID") AS m2, (CAST(sum("ID") AS VARCHAR) || '/' || CAST(count("ID") AS VARCHAR)) AS m3, CAST(stddev_samp("ID") AS DOUBLE) AS m4, percentile_cont(%(param_1)s) WITHIN GROUP (ORDER BY CAST("ID" AS DOUBLE PRECISION)) AS m5, CAST(count(CASE WHEN ("ID" IS NULL) THEN 1 END) AS DOUBLE) / nullif(count(*), 0) AS m6 
FROM "PUBLIC"."ORDERS"
-- param_1: 0.5
