/** Why a command got nothing done: reported in one line or several, exit code 1. */

export class OperateFailure extends Error {
  override readonly name = 'OperateFailure'
}
