SELECT count(CASE WHEN ("EMAIL" IS NOT NULL AND NOT REGEXP_LIKE((CAST("EMAIL" AS VARCHAR2(4000)) COLLATE BINARY), '^(' || REPLACE(:param_1, '(?:', '(') || ')$', 'c')) THEN 1 END) AS m0 
FROM "ANALYTICS"."ORDERS"
-- param_1: '(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29)'
