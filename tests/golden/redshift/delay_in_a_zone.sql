SELECT max((DATEDIFF(microsecond, timezone(%(param_1)s, CAST("made" AS TIMESTAMP)), "loaded") / 1000000.0)) AS m0 
FROM "analytics"."orders"
-- param_1: 'Europe/Oslo'
