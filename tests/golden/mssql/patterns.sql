-- QueryFailed: SQL Server has no regular expressions before 2025, and so no formats; write a `like` pattern, or a condition with PATINDEX

-- QueryFailed: SQL Server has no regular expressions before 2025, and so no formats; write a `like` pattern, or a condition with PATINDEX

SELECT count(CASE WHEN ([email] IS NOT NULL AND NOT ((CAST([email] AS NVARCHAR(MAX)) COLLATE Latin1_General_100_BIN2) LIKE %(param_1)s ESCAPE '\')) THEN 1 END) AS m0 
FROM [analytics].[orders]
-- param_1: 'a%'

SELECT count(CASE WHEN ([email] IS NOT NULL AND NOT ((CAST([email] AS NVARCHAR(MAX)) COLLATE Latin1_General_100_BIN2) LIKE %(param_1)s ESCAPE '\')) THEN 1 END) AS m0 
FROM [analytics].[orders]
-- param_1: 'a\\%_'

SELECT count(CASE WHEN ([email] IS NOT NULL AND ((LEN(CONCAT((CAST([email] AS NVARCHAR(MAX)) COLLATE Latin1_General_100_BIN2), N'.') COLLATE Latin1_General_100_CI_AS_SC) - 1) < %(length_1)s OR (LEN(CONCAT((CAST([email] AS NVARCHAR(MAX)) COLLATE Latin1_General_100_BIN2), N'.') COLLATE Latin1_General_100_CI_AS_SC) - 1) > %(length_2)s)) THEN 1 END) AS m0 
FROM [analytics].[orders]
-- length_1: 1
-- length_2: 10
