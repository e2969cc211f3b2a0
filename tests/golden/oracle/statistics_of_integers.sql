SELECT min("ID") AS m0, max("ID") AS m1, sum("ID") AS m2, NVL2(SUM("ID"), TO_CHAR(SUM("ID"), 'TM9', 'NLS_NUMERIC_CHARACTERS=''.,''') || '/' || TO_CHAR(COUNT("ID")), NULL) AS m3, CAST(stddev_samp("ID") AS BINARY_DOUBLE) AS m4, percentile_cont(:param_1) WITHIN GROUP (ORDER BY CAST("ID" AS DOUBLE PRECISION)) AS m5, CAST(count(CASE WHEN ("ID" IS NULL) THEN 1 END) AS BINARY_DOUBLE) / nullif(count(*), 0) AS m6 
FROM "ANALYTICS"."ORDERS"
-- param_1: 0.5
