SELECT count(CASE WHEN ("email" IS NOT NULL AND NOT (REGEXP_INSTR(COLLATE(CAST("email" AS VARCHAR(65535)), 'case_sensitive'), %(param_1)s, 1, 1, 0, 'p') > 0)) THEN 1 END) AS m0, count(CASE WHEN ("email" IS NOT NULL AND (REGEXP_INSTR(COLLATE(CAST("email" AS VARCHAR(65535)), 'case_sensitive'), %(param_2)s, 1, 1, 0, 'p') > 0)) THEN 1 END) AS m1, count(CASE WHEN ("email" IS NOT NULL AND NOT (COLLATE(CAST("email" AS VARCHAR(65535)), 'case_sensitive') LIKE %(param_3)s)) THEN 1 END) AS m2, count(CASE WHEN ("email" IS NOT NULL AND NOT (COLLATE(CAST("email" AS VARCHAR(65535)), 'case_sensitive') LIKE %(param_4)s)) THEN 1 END) AS m3, count(CASE WHEN ("email" IS NOT NULL AND (length(COLLATE(CAST("email" AS VARCHAR(65535)), 'case_sensitive')) < %(length_1)s OR length(COLLATE(CAST("email" AS VARCHAR(65535)), 'case_sensitive')) > %(length_2)s)) THEN 1 END) AS m4 
FROM "analytics"."orders"
-- param_1: '@[a-z]+\\.'
-- param_2: '%'
-- param_3: 'a%'
-- param_4: 'a\\%_'
-- length_1: 1
-- length_2: 10
