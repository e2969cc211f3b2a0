SELECT count(CASE WHEN ("email" IS NOT NULL AND NOT (REGEXP_INSTR(COLLATE(CAST("email" AS VARCHAR(65535)), 'case_sensitive'), '^(?:' || %(param_1)s || ')(?!.|[^.])', 1, 1, 0, 'p') = 1)) THEN 1 END) AS m0 
FROM "analytics"."orders"
-- param_1: '(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29)'
