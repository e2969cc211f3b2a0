SELECT count(CASE WHEN (("amount" < ? OR "amount" > ?) AND NOT ("amount" IS NULL OR false)) THEN 1 END) AS m0, count(CASE WHEN (("id" < ? OR "id" > ?) AND "id" IS NOT NULL) THEN 1 END) AS m1, count(CASE WHEN (("rate" < ? OR "rate" > ? OR IS_NAN("rate")) AND "rate" IS NOT NULL) THEN 1 END) AS m2, count(CASE WHEN (("day" < CAST(? AS TIMESTAMP(6)) OR "day" > CAST(? AS TIMESTAMP(6))) AND "day" IS NOT NULL) THEN 1 END) AS m3, count(CASE WHEN ("made" > CAST(? AS TIMESTAMP(6)) AND "made" IS NOT NULL) THEN 1 END) AS m4, count(CASE WHEN ("loaded" > CAST(? AS TIMESTAMP(6) WITH TIME ZONE) AND "loaded" IS NOT NULL) THEN 1 END) AS m5 
FROM "analytics"."orders"
-- param_1: 'number 0.01'
-- param_2: 'number 1E+6'
-- param_3: 'number 1'
-- param_4: 'number 99999999999999999999'
-- param_5: 1e-07
-- param_6: inf
-- param_7: '2026-01-01 00:00:00.000000'
-- param_8: '2026-12-31 00:00:00.000000'
-- param_9: '2026-12-31 12:00:00.000000'
-- param_10: '2026-12-31 10:00:00.000000 UTC'
