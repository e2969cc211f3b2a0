SELECT count(CASE WHEN ((CAST("email" AS VARCHAR) NOT IN (?, ?, ?, ?)) AND "email" IS NOT NULL) THEN 1 END) AS m0, count(CASE WHEN ((translate(CAST("email" AS VARCHAR), ?, ?) NOT IN (?, ?)) AND "email" IS NOT NULL) THEN 1 END) AS m1, count(CASE WHEN ("is_open" IS NOT NULL AND "is_open" IN (?)) THEN 1 END) AS m2, count(CASE WHEN ("day" IS NOT NULL AND "day" IN (CAST(? AS TIMESTAMP(6)))) THEN 1 END) AS m3, count(CASE WHEN ("name" IS NOT NULL AND CAST("name" AS VARCHAR) IN (?)) THEN 1 END) AS m4, count(CASE WHEN ("Mixed" IS NOT NULL AND CAST("Mixed" AS VARCHAR) IN (?)) THEN 1 END) AS m5 
FROM "analytics"."orders"
-- param_1: 'a'
-- param_2: "it's"
-- param_3: '100%'
-- param_4: 'back\\slash'
-- param_5: 'BÄ'
-- param_6: 'bä'
-- param_7: 'ä'
-- param_8: 'b'
-- param_9: True
-- param_10: '2026-01-01 00:00:00.000000'
-- param_11: 'x'
-- param_12: 'x'
