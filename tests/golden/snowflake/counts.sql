SELECT count(*) AS m0, count(CASE WHEN ("EMAIL" IS NULL OR CAST("EMAIL" AS TEXT) IN (%(param_1)s, %(param_2)s) OR (REGEXP_INSTR("EMAIL", %(param_3)s) > 0)) THEN 1 END) AS m1, count(NULLIF("RATE", CAST('NaN' AS FLOAT))) AS m2, count(CASE WHEN ("AMOUNT" IS NULL OR false OR "AMOUNT" IN (%(param_4)s, %(param_5)s)) THEN 1 END) AS m3 
FROM "PUBLIC"."ORDERS"
-- param_1: ''
-- param_2: 'n/a'
-- param_3: '^\\s*$'
-- param_4: 0
-- param_5: 'number 1.50'
