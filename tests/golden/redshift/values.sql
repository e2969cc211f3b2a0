SELECT count(CASE WHEN ((COLLATE(CAST("email" AS VARCHAR(65535)), 'case_sensitive') NOT IN (%(param_1)s, %(param_2)s, %(param_3)s, %(param_4)s)) AND "email" IS NOT NULL) THEN 1 END) AS m0, count(CASE WHEN ((translate(COLLATE(CAST("email" AS VARCHAR(65535)), 'case_sensitive'), %(param_5)s, %(param_6)s) NOT IN (%(param_7)s, %(param_8)s)) AND "email" IS NOT NULL) THEN 1 END) AS m1, count(CASE WHEN ("is_open" IS NOT NULL AND "is_open" IN (%(param_9)s)) THEN 1 END) AS m2, count(CASE WHEN ("day" IS NOT NULL AND "day" IN (%(param_10)s)) THEN 1 END) AS m3, count(CASE WHEN ("name" IS NOT NULL AND COLLATE(CAST("name" AS VARCHAR(65535)), 'case_sensitive') IN (%(param_11)s)) THEN 1 END) AS m4, count(CASE WHEN ("Mixed" IS NOT NULL AND COLLATE(CAST("Mixed" AS VARCHAR(65535)), 'case_sensitive') IN (%(param_12)s)) THEN 1 END) AS m5 
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
-- param_10: datetime.datetime(2026, 1, 1, 0, 0)
-- param_11: 'x'
-- param_12: 'x'
