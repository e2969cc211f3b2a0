SELECT dq_rows.dq_segment0, dq_rows.dq_segment1, dq_rows.dq_bucket, count(*) AS m0 
FROM (SELECT CAST("name" AS VARCHAR) AS dq_segment0, CAST("day" AS VARCHAR) AS dq_segment1, CASE WHEN ("made" IS NULL) THEN 2 WHEN ("made" >= CAST(? AS TIMESTAMP(6)) AND "made" < CAST(? AS TIMESTAMP(6))) THEN 0 WHEN ("made" >= CAST(? AS TIMESTAMP(6)) AND "made" < CAST(? AS TIMESTAMP(6))) THEN 1 ELSE -1 END AS dq_bucket 
FROM "analytics"."orders" 
WHERE "made" >= CAST(? AS TIMESTAMP(6)) AND "made" < CAST(? AS TIMESTAMP(6))) AS dq_rows GROUP BY dq_rows.dq_segment0, dq_rows.dq_segment1, dq_rows.dq_bucket
LIMIT ?
-- param_1: '2026-03-08 01:00:00.000000'
-- param_2: '2026-03-09 01:00:00.000000'
-- param_3: '2026-03-09 01:00:00.000000'
-- param_4: '2026-03-10 01:00:00.000000'
-- param_5: '2026-03-08 01:00:00.000000'
-- param_6: '2026-03-10 01:00:00.000000'
-- param_7: 151
