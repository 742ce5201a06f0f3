/**
 * What must be so in every session whatever the defaults of the server are. `/*M!` is read by MariaDB
 * only, `/*!5` by MySQL only.
 */

/** Goes behind other settings. 0 = no limit; MySQL has one for SELECT only. */
export const statementLimit = (milliseconds: number): string =>
  `/*M!100102 , max_statement_time = ${milliseconds / 1_000} */
   /*!50708 , max_execution_time = ${milliseconds} */`

/** REPEATABLE READ because READ COMMITTED is refused where the log of changes holds statements. */
export function settings(lockMilliseconds: number, statementMilliseconds: number): string[] {
  const lockSeconds = Math.max(1, Math.floor(lockMilliseconds / 1_000))
  return [
    'SET NAMES utf8mb4',
    `SET SESSION autocommit = 1,
      sql_mode = 'ANSI_QUOTES,STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION',
      lock_wait_timeout = ${lockSeconds}, innodb_lock_wait_timeout = ${lockSeconds}
      ${statementLimit(statementMilliseconds)}`,
    'SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ',
  ]
}
