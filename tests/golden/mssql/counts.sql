SELECT count(*) AS m0 
FROM [analytics].[orders]

-- QueryFailed: SQL Server has no regular expressions before 2025, and so no formats; write a `like` pattern, or a condition with PATINDEX

SELECT count([rate]) AS m0 
FROM [analytics].[orders]

SELECT count(CASE WHEN ([amount] IS NULL OR [amount] IN (%(param_1)s, %(param_2)s)) THEN 1 END) AS m0 
FROM [analytics].[orders]
-- param_1: 'number 0'
-- param_2: 'number 1.50'
