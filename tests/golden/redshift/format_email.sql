SELECT count(CASE WHEN ("email" IS NOT NULL AND NOT ((REGEXP_INSTR(COLLATE(CAST("email" AS VARCHAR(65535)), 'case_sensitive'), '^(?:' || %(param_1)s || ')(?!.|[^.])', 1, 1, 0, 'p') = 1) AND (length(COLLATE(CAST("email" AS VARCHAR(65535)), 'case_sensitive')) <= 64 OR length(COLLATE(CAST("email" AS VARCHAR(65535)), 'case_sensitive')) <= 254 AND (REGEXP_INSTR(COLLATE(CAST("email" AS VARCHAR(65535)), 'case_sensitive'), '^(?:' || %(param_2)s || ')(?!.|[^.])', 1, 1, 0, 'p') = 1)))) THEN 1 END) AS m0 
FROM "analytics"."orders"
-- param_1: "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@(?:[A-Za-z0-9](?:-*[A-Za-z0-9])*\\.)+[A-Za-z](?:-*[A-Za-z0-9])+"
-- param_2: '[^@]{1,64}@[^@.]{1,63}(?:\\.[^@.]{1,63})+'
