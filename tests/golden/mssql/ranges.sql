SELECT count(CASE WHEN (([amount] < %(param_1)s OR [amount] > %(param_2)s) AND [amount] IS NOT NULL) THEN 1 END) AS m0, count(CASE WHEN (([id] < %(param_3)s OR [id] > %(param_4)s) AND [id] IS NOT NULL) THEN 1 END) AS m1, count(CASE WHEN (([rate] < %(param_5)s OR [rate] > %(param_6)s) AND [rate] IS NOT NULL) THEN 1 END) AS m2, count(CASE WHEN (([day] < CAST('2026-01-01T00:00:00.000000' AS DATETIME2(6)) OR [day] > CAST('2026-12-31T00:00:00.000000' AS DATETIME2(6))) AND [day] IS NOT NULL) THEN 1 END) AS m3, count(CASE WHEN ([made] > CAST('2026-12-31T12:00:00.000000' AS DATETIME2(6)) AND [made] IS NOT NULL) THEN 1 END) AS m4, count(CASE WHEN ([loaded] > CAST('2026-12-31T10:00:00.000000+00:00' AS DATETIMEOFFSET(6)) AND [loaded] IS NOT NULL) THEN 1 END) AS m5 
FROM [analytics].[orders]
-- param_1: 'number 0.01'
-- param_2: 'number 1000000'
-- param_3: 'number 1'
-- param_4: 'number 99999999999999999999'
-- param_5: 1e-07
-- param_6: 1.7976931348623157e+308
