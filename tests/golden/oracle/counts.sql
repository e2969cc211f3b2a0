SELECT count(*) AS m0, count(CASE WHEN ("EMAIL" IS NULL OR (CAST("EMAIL" AS VARCHAR2(4000)) COLLATE BINARY) IN (CHR(0), :param_1) OR REGEXP_LIKE("EMAIL", :param_2, 'c')) THEN 1 END) AS m1, count(NANVL("RATE", NULL)) AS m2, count(CASE WHEN ("AMOUNT" IS NULL OR (1 = 0) OR "AMOUNT" IN (:param_3, :param_4)) THEN 1 END) AS m3 
FROM "ANALYTICS"."ORDERS"
-- param_1: 'n/a'
-- param_2: '^\\s*$'
-- param_3: 'number 0'
-- param_4: 'number 1.50'
