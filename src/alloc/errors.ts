/**
 * The allocator's own errors.
 *
 * @module
 */

/** An address that was passed as a block's is none: freed already, never allocated, of another heap, or misaligned. */
export class AllocatorAddressError extends RangeError {
  /** `AllocatorAddressError`. */
  override readonly name = "AllocatorAddressError";
  /** `ERR_ALLOCATOR_ADDRESS`. */
  readonly code = "ERR_ALLOCATOR_ADDRESS";
  /** The address. */
  readonly address: number;
  /** Makes the error; `why` continues "the address …". */
  constructor(operation: string, address: number, why: string) {
    super(`Cannot ${operation}: the address ${address} ${why}`);
    this.address = address;
  }
}
