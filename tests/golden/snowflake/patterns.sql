SELECT count(CASE WHEN ("EMAIL" IS NOT NULL AND NOT (REGEXP_INSTR(CAST("EMAIL" AS TEXT), %(param_1)s) > 0)) THEN 1 END) AS m0, count(CASE WHEN ("EMAIL" IS NOT NULL AND (REGEXP_INSTR(CAST("EMAIL" AS TEXT), %(param_2)s) > 0)) THEN 1 END) AS m1, count(CASE WHEN ("EMAIL" IS NOT NULL AND NOT (CAST("EMAIL" AS TEXT) LIKE %(param_3)s)) THEN 1 END) AS m2, count(CASE WHEN ("EMAIL" IS NOT NULL AND NOT (CAST("EMAIL" AS TEXT) LIKE %(param_4)s ESCAPE '\\')) THEN 1 END) AS m3, count(CASE WHEN ("EMAIL" IS NOT NULL AND (length(CAST("EMAIL" AS TEXT)) < %(length_1)s OR length(CAST("EMAIL" AS TEXT)) > %(length_2)s)) THEN 1 END) AS m4 
FROM "PUBLIC"."ORDERS"
-- param_1: '@[a-z]+\\.'
-- param_2: '%'
-- param_3: 'a%'
-- param_4: 'a\\%_'
-- length_1: 1
-- length_2: 10
