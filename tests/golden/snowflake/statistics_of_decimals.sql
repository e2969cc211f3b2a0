SELECT min("AMOUNT") AS m0, max("AMOUNT") AS m1, sum("AMOUNT") AS m2, (CAST(sum("AMOUNT") AS VARCHAR) || '/' || CAST(count("AMOUNT") AS VARCHAR)) AS m3, CAST(stddev_samp("AMOUNT") AS DOUBLE) AS m4, percentile_cont(%(param_1)s) WITHIN GROUP (ORDER BY CAST("AMOUNT" AS DOUBLE PRECISION)) AS m5, CAST(count(CASE WHEN ("AMOUNT" IS NULL) THEN 1 END) AS DOUBLE) / nullif(count(*), 0) AS m6 
FROM "PUBLIC"."ORDERS"
-- param_1: 0.5
