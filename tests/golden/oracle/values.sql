SELECT count(CASE WHEN (((CAST("EMAIL" AS VARCHAR2(4000)) COLLATE BINARY) NOT IN (:param_1, :param_2, :param_3, :param_4)) AND "EMAIL" IS NOT NULL) THEN 1 END) AS m0, count(CASE WHEN ((translate((CAST("EMAIL" AS VARCHAR2(4000)) COLLATE BINARY), :param_5, :param_6) NOT IN (:param_7, :param_8)) AND "EMAIL" IS NOT NULL) THEN 1 END) AS m1, count(CASE WHEN ("IS_OPEN" IS NOT NULL AND "IS_OPEN" IN (:param_9)) THEN 1 END) AS m2, count(CASE WHEN ("DAY" IS NOT NULL AND "DAY" IN (TIMESTAMP '2026-01-01 00:00:00.000000')) THEN 1 END) AS m3, count(CASE WHEN ("NAME" IS NOT NULL AND (CAST("NAME" AS VARCHAR2(4000)) COLLATE BINARY) IN (:param_10)) THEN 1 END) AS m4, count(CASE WHEN ("Mixed" IS NOT NULL AND (CAST("Mixed" AS VARCHAR2(4000)) COLLATE BINARY) IN (:param_11)) THEN 1 END) AS m5 
FROM "ANALYTICS"."ORDERS"
-- param_1: 'a'
-- param_2: "it's"
-- param_3: '100%'
-- param_4: 'back\\slash'
-- param_5: 'BÄ'
-- param_6: 'bä'
-- param_7: 'ä'
-- param_8: 'b'
-- param_9: True
-- param_10: 'x'
-- param_11: 'x'
