SELECT count(CASE WHEN ("email" IS NOT NULL AND NOT (REGEXP_INSTR(COLLATE(CAST("email" AS VARCHAR(65535)), 'case_sensitive'), '^(?:' || %(param_1)s || ')(?!.|[^.])', 1, 1, 0, 'p') = 1)) THEN 1 END) AS m0 
FROM "analytics"."orders"
-- param_1: '\\+[1-9][0-9]{6,14}'
