;; The bridge: the hot calls of a WebAssembly program on its files, from the program's memory to the pool and back, without
;; JavaScript between.
;;
;; A template: tools/build_bridge.ts expands it for each kind of pool and of program memory and embeds the binaries in
;; bridge_binary.ts. Memory 0 is the pool, memory 1 ($heap) the program's. All addresses are kept as i64, whatever the
;; memories' own width. Macros:
;;
;;   {H}              the type of the program's pointers and sizes
;;   {p X} {h X}      an i64 address as an index of the pool, of the heap
;;   {wide $x}        a parameter of the program's, {H}, as i64
;;   {narrow X}       an i64 as {H}
;;   {poolEnd} {heapEnd}  how many bytes of each this instance can reach. Another thread may have made them larger: what
;;                    lies beyond is left to the slow path, which learns of it
;;   {copyOut A, B, N}  copies N bytes of the pool at B to A of the heap; {copyIn A, B, N} the other way. memory.copy of
;;                    the engine, 3 ns more than a memcpy of the program's own however few the bytes
;;   {find}           sets $description, $inode, $generation and $flags from $fd, or leaves to $slow
;;   {inodeOfRef}     sets $inode, $bytes and $position from $ref, $size and $place, or leaves to $slow
;;   {NAME}           a constant of src/layout
;;
;; What holds for every call: it does all, or it changes nothing and makes the same call of JavaScript (an import of the
;; module "slow"): where the descriptor is not the pool's, where there is an error to report, where memory has to be
;; allocated, where a pointer is bad. Pointers are checked before anything is locked, and nothing traps under a lock.
;; Locks, versions and their order are those of src/file/process_descriptors.ts and src/file/data.ts; the protocols are the
;; intrinsics' (src/memory/intrinsics.wat) of the same thread, called as imports.
(module
  (import "extmemfs" "pool" (memory $pool {POOL_MEMORY}))
  (import "extmemfs" "heap" (memory $heap {HEAP_MEMORY}))

  ;; Who calls: the thread's agent and its program.
  (import "agent" "owner" (global $owner i32))
  (import "agent" "state" (global $state i32))
  (import "agent" "slotWord" (global $slotW i32))
  (import "agent" "pinWord" (global $pinW i32))
  (import "agent" "tableWord" (global $tableW i32))
  (import "agent" "slotAddr" (global $slot i64))
  (import "agent" "pagesAddr" (global $pages i64))
  (import "agent" "tableAddr" (global $table i64))
  ;; Below this the pool's own words are, which a program does not write.
  (import "agent" "firstAddr" (global $first i64))

  (import "intrinsics" "lockExclusive" (func $lockExclusive (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "intrinsics" "unlockExclusive" (func $unlockExclusive (param i32 i32 i32 i32)))
  (import "intrinsics" "lockShared" (func $lockShared (param i32 i32) (result i32)))
  (import "intrinsics" "unlockShared" (func $unlockShared (param i32 i32)))
  (import "intrinsics" "findPin" (func $findPin (param i32 i32 i32) (result i32)))
  (import "intrinsics" "fenceLoad" (func $fenceLoad (param i32) (result i32)))
  (import "intrinsics" "publishAndUnlock" (func $publishAndUnlock (param i32 f64 f64 i32 i32 i32)))

  ;; Goes on where a fast path ended: 0 held, else not held and not recorded.
  (import "waiting" "lockExclusive" (func $lockExclusiveSlow (param i32 i32 i32) (result i32)))
  (import "waiting" "lockShared" (func $lockSharedSlow (param i32) (result i32)))
  ;; Makes this thread's instances reach all of the pool.
  (import "waiting" "refresh" (func $refresh))
  (import "waiting" "now" (func $now (result f64)))

  (import "slow" "fd_read" (func $slow_fd_read (param i32 {H} {H} {H}) (result i32)))
  (import "slow" "fd_write" (func $slow_fd_write (param i32 {H} {H} {H}) (result i32)))
  (import "slow" "fd_pread" (func $slow_fd_pread (param i32 {H} {H} i64 {H}) (result i32)))
  (import "slow" "fd_pwrite" (func $slow_fd_pwrite (param i32 {H} {H} i64 {H}) (result i32)))
  (import "slow" "fd_seek" (func $slow_fd_seek (param i32 i64 i32 {H}) (result i32)))
  (import "slow" "extmemfs_pread" (func $slow_extmemfs_pread (param i32 {H} {H} i64) (result {H})))
  (import "slow" "extmemfs_pwrite" (func $slow_extmemfs_pwrite (param i32 {H} {H} i64) (result {H})))
  (import "slow" "extmemfs_size" (func $slow_extmemfs_size (param i32) (result i64)))
  (import "slow" "extmemfs_read" (func $slow_extmemfs_read (param i64 {H} {H}) (result i32)))
  (import "slow" "extmemfs_write" (func $slow_extmemfs_write (param i64 {H} {H}) (result i32)))
  (import "slow" "extmemfs_wasmfs_read" (func $slow_extmemfs_wasmfs_read (param i32 i32 {H} {H} f64) (result i32)))
  (import "slow" "extmemfs_wasmfs_write" (func $slow_extmemfs_wasmfs_write (param i32 i32 i32 {H} {H} f64) (result i32)))

  ;; How many calls took the slow path; for tests.
  (global $slowCalls (mut i32) (i32.const 0))
  (func (export "slowCalls") (result i32) (global.get $slowCalls))
  (func $countSlow (global.set $slowCalls (i32.add (global.get $slowCalls) (i32.const 1))))

  ;; -- Locks ---------------------------------------------------------------------------------------------------------

  ;; The pool may have grown before the lock was taken, and what it guards may lie in the new part: as SharedMemory.sync.
  (func $sync
    (if (i64.gt_u (i64.extend_i32_u (i32.load $pool {p (global.get $pages)})) {poolPages})
      (then (call $refresh))))

  ;; Takes a lock exclusively, recorded at $held. 0 held, else not.
  (func $lock (param $lockW i32) (param $held i32) (result i32)
    (local $status i32)
    (local.set $status (call $lockExclusive (local.get $lockW) (global.get $owner) (global.get $slotW) (local.get $held)
      (global.get $tableW) (global.get $state)))
    (if (local.get $status)
      (then
        ;; Held, and READERS is left from readers: the release clears it, as a scan has found none inside.
        (if (i32.or (i32.ne (local.get $status) (i32.const {LOCKED_DRAIN}))
              (i32.ne (call $findPin (local.get $lockW) (global.get $tableW) (i32.const 0)) (i32.const -1)))
          (then
            (if (call $lockExclusiveSlow (local.get $lockW) (local.get $status) (local.get $held))
              (then (return (i32.const 1))))))))
    (call $sync)
    (i32.const 0))

  (func $unlock (param $lockW i32) (param $held i32)
    (call $unlockExclusive (local.get $lockW) (global.get $owner) (global.get $slotW) (local.get $held)))

  ;; Takes an inode's lock shared through the first pin. 0 held, else not.
  (func $lockInodeShared (param $lockW i32) (result i32)
    (if (call $lockShared (local.get $lockW) (global.get $pinW))
      (then (if (call $lockSharedSlow (local.get $lockW)) (then (return (i32.const 1))))))
    (call $sync)
    (i32.const 0))

  ;; Locks a description's position, at depth 0. 0 held; else not, or what was found has been closed meanwhile.
  (func $lockPosition (param $description i64) (param $inode i64) (param $generation i32) (result i32)
    (local $lockW i32)
    (local.set $lockW (i32.wrap_i64 (i64.shr_u (local.get $description) (i64.const 2))))
    (if (call $lock (local.get $lockW) (i32.const 0)) (then (return (i32.const 1))))
    (if (i32.and
          (i32.eq (i32.load $pool offset={DESCRIPTION_GENERATION} {p (local.get $description)}) (local.get $generation))
          (i64.eq (i64.shl (i64.extend_i32_u (i32.load $pool offset={DESCRIPTION_INODE} {p (local.get $description)}))
            (i64.const 4)) (local.get $inode)))
      (then (return (i32.const 0))))
    (call $unlock (local.get $lockW) (i32.const 0))
    (i32.const 1))

  (func $unlockPosition (param $description i64)
    (call $unlock (i32.wrap_i64 (i64.shr_u (local.get $description) (i64.const 2))) (i32.const 0)))

  ;; -- Files ---------------------------------------------------------------------------------------------------------

  ;; The first extent, or 0 where the list lies beyond what this instance reaches.
  (func $extentsOf (param $inode i64) (param $count i32) (result i64)
    (local $block i32) (local $at i64)
    (local.set $block (i32.load $pool offset={INODE_EXTENT_BLOCK} {p (local.get $inode)}))
    (if (i32.eqz (local.get $block))
      (then
        (if (i32.gt_u (local.get $count) (i32.const {INODE_INLINE_EXTENTS})) (then (return (i64.const 0))))
        (return (i64.add (local.get $inode) (i64.const {INODE_BODY})))))
    (local.set $at (i64.shl (i64.extend_i32_u (local.get $block)) (i64.const 4)))
    (if (i64.gt_u (i64.add (local.get $at) (i64.mul (i64.extend_i32_u (local.get $count)) (i64.const {EXTENT_BYTES})))
          {poolEnd})
      (then (return (i64.const 0))))
    (local.get $at))

  ;; Index of the first extent that ends beyond a position; $count where there is none.
  (func $findExtent (param $extents i64) (param $count i32) (param $position i64) (result i32)
    (local $low i32) (local $high i32) (local $middle i32) (local $unit i64) (local $at i64)
    (if (i32.eq (local.get $count) (i32.const 1)) (then (return (i32.const 0))))
    (local.set $unit (i64.shr_u (local.get $position) (i64.const {EXTENT_SHIFT})))
    (local.set $high (local.get $count))
    (loop $half
      (if (i32.lt_u (local.get $low) (local.get $high))
        (then
          (local.set $middle (i32.shr_u (i32.add (local.get $low) (local.get $high)) (i32.const 1)))
          (local.set $at (i64.add (local.get $extents)
            (i64.mul (i64.extend_i32_u (local.get $middle)) (i64.const {EXTENT_BYTES}))))
          (if (i64.gt_u
                (i64.add (i64.load32_u $pool offset={EXTENT_FILE} {p (local.get $at)})
                  (i64.load32_u $pool offset={EXTENT_UNITS} {p (local.get $at)}))
                (local.get $unit))
            (then (local.set $high (local.get $middle)))
            (else (local.set $low (i32.add (local.get $middle) (i32.const 1)))))
          (br $half))))
    (local.get $low))

  ;; Where a range lies if it lies in one piece, below what this instance reaches; else 0. The inode's lock is held.
  (func $addressOfRange (param $inode i64) (param $position i64) (param $bytes i64) (result i64)
    (local $count i32) (local $index i32) (local $extents i64) (local $offset i64) (local $addr i64)
    (local.set $count (i32.load $pool offset={INODE_EXTENT_COUNT} {p (local.get $inode)}))
    (if (i32.eqz (local.get $count))
      (then
        (return (select (i64.add (i64.add (local.get $inode) (i64.const {INODE_BODY})) (local.get $position)) (i64.const 0)
          (i32.and
            (i64.le_u (i64.add (local.get $position) (local.get $bytes)) (i64.const {INODE_INLINE_BYTES}))
            (f64.le (f64.load $pool offset={INODE_SIZE} {p (local.get $inode)}) (f64.const {INODE_INLINE_BYTES})))))))
    (local.set $extents (call $extentsOf (local.get $inode) (local.get $count)))
    (if (i64.eqz (local.get $extents)) (then (return (i64.const 0))))
    (local.set $index (call $findExtent (local.get $extents) (local.get $count) (local.get $position)))
    (if (i32.eq (local.get $index) (local.get $count)) (then (return (i64.const 0))))
    (local.set $extents (i64.add (local.get $extents)
      (i64.mul (i64.extend_i32_u (local.get $index)) (i64.const {EXTENT_BYTES}))))
    (local.set $offset (i64.sub (local.get $position)
      (i64.shl (i64.load32_u $pool offset={EXTENT_FILE} {p (local.get $extents)}) (i64.const {EXTENT_SHIFT}))))
    (if (i64.lt_s (local.get $offset) (i64.const 0)) (then (return (i64.const 0))))
    (if (i64.gt_u (i64.add (local.get $offset) (local.get $bytes))
          (i64.shl (i64.load32_u $pool offset={EXTENT_UNITS} {p (local.get $extents)}) (i64.const {EXTENT_SHIFT})))
      (then (return (i64.const 0))))
    (local.set $addr (i64.add (local.get $offset)
      (i64.shl (i64.load32_u $pool offset={EXTENT_REF} {p (local.get $extents)}) (i64.const 4))))
    (select (i64.const 0) (local.get $addr)
      (i64.gt_u (i64.add (local.get $addr) (local.get $bytes)) {poolEnd})))

  ;; Copies a range below the size, piece by piece: extents, and zeros for holes. 1, or 0 where it cannot.
  (func $readPiecewise (param $inode i64) (param $to i64) (param $bytes i64) (param $position i64) (result i32)
    (local $count i32) (local $index i32) (local $extents i64) (local $extent i64) (local $start i64) (local $stop i64)
    (local $end i64) (local $run i64) (local $from i64)
    (local.set $count (i32.load $pool offset={INODE_EXTENT_COUNT} {p (local.get $inode)}))
    (if (local.get $count)
      (then
        (local.set $extents (call $extentsOf (local.get $inode) (local.get $count)))
        (if (i64.eqz (local.get $extents)) (then (return (i32.const 0))))
        (local.set $index (call $findExtent (local.get $extents) (local.get $count) (local.get $position)))))
    (local.set $end (i64.add (local.get $position) (local.get $bytes)))
    (loop $pieces
      (if (i64.ge_u (local.get $position) (local.get $end)) (then (return (i32.const 1))))
      (local.set $run (i64.sub (local.get $end) (local.get $position)))
      (if (i32.lt_u (local.get $index) (local.get $count))
        (then
          (local.set $extent (i64.add (local.get $extents)
            (i64.mul (i64.extend_i32_u (local.get $index)) (i64.const {EXTENT_BYTES}))))
          (local.set $start
            (i64.shl (i64.load32_u $pool offset={EXTENT_FILE} {p (local.get $extent)}) (i64.const {EXTENT_SHIFT})))
          (if (i64.le_u (local.get $start) (local.get $position))
            (then
              (local.set $stop (i64.add (local.get $start)
                (i64.shl (i64.load32_u $pool offset={EXTENT_UNITS} {p (local.get $extent)}) (i64.const {EXTENT_SHIFT}))))
              (if (i64.gt_u (local.get $stop) (local.get $position))
                (then
                  (local.set $stop (i64.sub (local.get $stop) (local.get $position)))
                  (if (i64.lt_u (local.get $stop) (local.get $run)) (then (local.set $run (local.get $stop))))
                  (local.set $from (i64.add
                    (i64.shl (i64.load32_u $pool offset={EXTENT_REF} {p (local.get $extent)}) (i64.const 4))
                    (i64.sub (local.get $position) (local.get $start))))
                  (if (i64.gt_u (i64.add (local.get $from) (local.get $run)) {poolEnd}) (then (return (i32.const 0))))
                  {copyOut (local.get $to), (local.get $from), (local.get $run)}
                  (local.set $position (i64.add (local.get $position) (local.get $run)))
                  (local.set $to (i64.add (local.get $to) (local.get $run)))))
              (local.set $index (i32.add (local.get $index) (i32.const 1)))
              (br $pieces)))
          (local.set $start (i64.sub (local.get $start) (local.get $position)))
          (if (i64.lt_u (local.get $start) (local.get $run)) (then (local.set $run (local.get $start))))))
      (memory.fill $heap {h (local.get $to)} (i32.const 0) {narrow (local.get $run)})
      (local.set $position (i64.add (local.get $position) (local.get $run)))
      (local.set $to (i64.add (local.get $to) (local.get $run)))
      (br $pieces))
    (unreachable))

  ;; Copies a range below the size, all of which has room at $to. 1, or 0 where it cannot.
  (func $readRange (param $inode i64) (param $to i64) (param $bytes i64) (param $position i64) (result i32)
    (local $addr i64)
    (local.set $addr (call $addressOfRange (local.get $inode) (local.get $position) (local.get $bytes)))
    (if (i64.eqz (local.get $addr))
      (then (return (call $readPiecewise (local.get $inode) (local.get $to) (local.get $bytes) (local.get $position)))))
    {copyOut (local.get $to), (local.get $addr), (local.get $bytes)}
    (i32.const 1))

  ;; Reads at a position into $to, or where $pieces is not 0 into the ranges of that many iovecs. Returns how many bytes,
  ;; or -1 for the slow path.
  (func $readAt (param $inode i64) (param $generation i32) (param $to i64) (param $bytes i64) (param $position i64)
      (param $iov i64) (param $pieces i32) (result i64)
    (local $inodeW i32) (local $left i64) (local $total i64)
    (local.set $inodeW (i32.wrap_i64 (i64.shr_u (local.get $inode) (i64.const 2))))
    (if (call $lockInodeShared (local.get $inodeW)) (then (return (i64.const -1))))
    (block $fail
      (br_if $fail (i32.ne
        (i32.shr_u (i32.load $pool offset={INODE_OPENS} {p (local.get $inode)}) (i32.const {OPENS_GENERATION_SHIFT}))
        (local.get $generation)))
      (local.set $left (i64.sub
        (i64.trunc_sat_f64_u (f64.load $pool offset={INODE_SIZE} {p (local.get $inode)})) (local.get $position)))
      (loop $next
        (if (local.get $pieces)
          (then
            ;; Read again, since another thread of the program may have changed them: what would trap is not done.
            (local.set $to {iovBase (local.get $iov)})
            (local.set $bytes {iovLength (local.get $iov)})
            (br_if $fail (i64.gt_u (local.get $bytes) {heapEnd}))
            (br_if $fail (i64.gt_u (local.get $to) (i64.sub {heapEnd} (local.get $bytes))))
            (local.set $iov (i64.add (local.get $iov) (i64.const {IOV_BYTES})))
            (local.set $pieces (i32.sub (local.get $pieces) (i32.const 1)))))
        (if (i64.gt_s (local.get $bytes) (local.get $left)) (then (local.set $bytes (local.get $left))))
        (if (i64.gt_s (local.get $bytes) (i64.const 0))
          (then
            (br_if $fail (i32.eqz
              (call $readRange (local.get $inode) (local.get $to) (local.get $bytes) (local.get $position))))
            (local.set $total (i64.add (local.get $total) (local.get $bytes)))
            (local.set $position (i64.add (local.get $position) (local.get $bytes)))
            (local.set $left (i64.sub (local.get $left) (local.get $bytes)))))
        (br_if $next (local.get $pieces)))
      (call $unlockShared (local.get $inodeW) (global.get $pinW))
      (return (local.get $total)))
    (call $unlockShared (local.get $inodeW) (global.get $pinW))
    (i64.const -1))

  ;; Writes at a position, or at the end where that is -1, if no memory has to be allocated for it: from $from, or where
  ;; $pieces is not 0 from the ranges of that many iovecs, $bytes in all. Returns where the write ended, or -1 for the
  ;; slow path.
  (func $writeAt (param $inode i64) (param $generation i32) (param $from i64) (param $bytes i64) (param $position i64)
      (param $iov i64) (param $pieces i32) (param $held i32) (result i64)
    (local $inodeW i32) (local $size i64) (local $end i64) (local $addr i64) (local $run i64) (local $now f64)
    (local.set $now (call $now))
    (local.set $inodeW (i32.wrap_i64 (i64.shr_u (local.get $inode) (i64.const 2))))
    (if (call $lock (local.get $inodeW) (local.get $held)) (then (return (i64.const -1))))
    (block $fail
      (br_if $fail (i32.ne
        (i32.shr_u (i32.load $pool offset={INODE_OPENS} {p (local.get $inode)}) (i32.const {OPENS_GENERATION_SHIFT}))
        (local.get $generation)))
      (local.set $size (i64.trunc_sat_f64_u (f64.load $pool offset={INODE_SIZE} {p (local.get $inode)})))
      (if (i64.lt_s (local.get $position) (i64.const 0)) (then (local.set $position (local.get $size))))
      (br_if $fail (i64.gt_u (local.get $position) (local.get $size)))
      (local.set $addr (call $addressOfRange (local.get $inode) (local.get $position) (local.get $bytes)))
      (br_if $fail (i64.eqz (local.get $addr)))
      (local.set $end (i64.add (local.get $position) (local.get $bytes)))
      (if (i32.eqz (local.get $pieces))
        (then {copyIn (local.get $addr), (local.get $from), (local.get $bytes)})
        (else
          (loop $next
            (local.set $from {iovBase (local.get $iov)})
            (local.set $run {iovLength (local.get $iov)})
            ;; As they were checked, unless another thread of the program has changed them: then what fits is written.
            (if (i64.gt_u (local.get $run) (local.get $bytes)) (then (local.set $run (local.get $bytes))))
            (if (i64.le_u (i64.add (local.get $from) (local.get $run)) {heapEnd})
              (then {copyIn (local.get $addr), (local.get $from), (local.get $run)}))
            (local.set $addr (i64.add (local.get $addr) (local.get $run)))
            (local.set $bytes (i64.sub (local.get $bytes) (local.get $run)))
            (local.set $iov (i64.add (local.get $iov) (i64.const {IOV_BYTES})))
            (local.set $pieces (i32.sub (local.get $pieces) (i32.const 1)))
            (br_if $next (local.get $pieces)))))
      (call $publishAndUnlock (local.get $inodeW)
        (f64.convert_i64_u (select (local.get $end) (local.get $size) (i64.gt_u (local.get $end) (local.get $size))))
        (local.get $now) (global.get $owner) (global.get $slotW) (local.get $held))
      (return (local.get $end)))
    (call $unlock (local.get $inodeW) (local.get $held))
    (i64.const -1))

  ;; -- The program's ranges ------------------------------------------------------------------------------------------

  ;; Bytes that iovecs name in all, or 0 where one of them is no range of the heap.
  (func $totalOf (param $iov i64) (param $count i64) (result i64)
    (local $total i64) (local $bytes i64)
    (loop $next
      (local.set $bytes {iovLength (local.get $iov)})
      (if (i64.gt_u (local.get $bytes) {heapEnd}) (then (return (i64.const 0))))
      (if (i64.gt_u {iovBase (local.get $iov)} (i64.sub {heapEnd} (local.get $bytes))) (then (return (i64.const 0))))
      (local.set $total (i64.add (local.get $total) (local.get $bytes)))
      (local.set $iov (i64.add (local.get $iov) (i64.const {IOV_BYTES})))
      (local.set $count (i64.sub (local.get $count) (i64.const 1)))
      (br_if $next (i32.eqz (i64.eqz (local.get $count)))))
    (local.get $total))

  ;; -- Calls ---------------------------------------------------------------------------------------------------------

  (func (export "fd_read") (param $fd i32) (param $iov {H}) (param $count {H}) (param $result {H}) (result i32)
    (local $position i64)
    {locals}
    (block $slow
      {find}
      {readable}
      {ranges}
      (br_if $slow (call $lockPosition (local.get $description) (local.get $inode) (local.get $generation)))
      (local.set $position (i64.trunc_sat_f64_u (f64.load $pool offset={DESCRIPTION_POSITION} {p (local.get $description)})))
      (local.set $done (call $readAt (local.get $inode) (local.get $generation) (local.get $base) (local.get $bytes)
        (local.get $position) {wide $iov} (local.get $pieces)))
      (if (i64.gt_s (local.get $done) (i64.const 0))
        (then
          (f64.store $pool offset={DESCRIPTION_POSITION} {p (local.get $description)}
            (f64.convert_i64_u (i64.add (local.get $position) (local.get $done))))))
      (call $unlockPosition (local.get $description))
      (br_if $slow (i64.lt_s (local.get $done) (i64.const 0)))
      ({H}.store $heap (local.get $result) {narrow (local.get $done)})
      (return (i32.const 0)))
    (call $countSlow)
    (call $slow_fd_read (local.get $fd) (local.get $iov) (local.get $count) (local.get $result)))

  (func (export "fd_write") (param $fd i32) (param $iov {H}) (param $count {H}) (param $result {H}) (result i32)
    (local $position i64)
    {locals}
    (block $slow
      {find}
      {writable}
      {ranges}
      (br_if $slow (call $lockPosition (local.get $description) (local.get $inode) (local.get $generation)))
      (local.set $position (i64.const -1))
      (if (i32.eqz (i32.and (local.get $flags) (i32.const {O_APPEND})))
        (then
          (local.set $position
            (i64.trunc_sat_f64_u (f64.load $pool offset={DESCRIPTION_POSITION} {p (local.get $description)})))))
      (local.set $done (call $writeAt (local.get $inode) (local.get $generation) (local.get $base) (local.get $bytes)
        (local.get $position) {wide $iov} (local.get $pieces) (i32.const 1)))
      (if (i64.gt_s (local.get $done) (i64.const 0))
        (then
          (f64.store $pool offset={DESCRIPTION_POSITION} {p (local.get $description)}
            (f64.convert_i64_u (local.get $done)))))
      (call $unlockPosition (local.get $description))
      (br_if $slow (i64.lt_s (local.get $done) (i64.const 0)))
      ({H}.store $heap (local.get $result) {narrow (local.get $bytes)})
      (return (i32.const 0)))
    (call $countSlow)
    (call $slow_fd_write (local.get $fd) (local.get $iov) (local.get $count) (local.get $result)))

  (func (export "fd_pread") (param $fd i32) (param $iov {H}) (param $count {H}) (param $position i64) (param $result {H})
      (result i32)
    {locals}
    (block $slow
      (br_if $slow (i64.gt_u (local.get $position) (i64.const {POSITION_LIMIT})))
      {find}
      {readable}
      {ranges}
      (local.set $done (call $readAt (local.get $inode) (local.get $generation) (local.get $base) (local.get $bytes)
        (local.get $position) {wide $iov} (local.get $pieces)))
      (br_if $slow (i64.lt_s (local.get $done) (i64.const 0)))
      ({H}.store $heap (local.get $result) {narrow (local.get $done)})
      (return (i32.const 0)))
    (call $countSlow)
    (call $slow_fd_pread (local.get $fd) (local.get $iov) (local.get $count) (local.get $position) (local.get $result)))

  (func (export "fd_pwrite") (param $fd i32) (param $iov {H}) (param $count {H}) (param $position i64) (param $result {H})
      (result i32)
    {locals}
    (block $slow
      (br_if $slow (i64.gt_u (local.get $position) (i64.const {POSITION_LIMIT})))
      {find}
      {writable}
      {ranges}
      (br_if $slow (i64.lt_s
        (call $writeAt (local.get $inode) (local.get $generation) (local.get $base) (local.get $bytes)
          (select (i64.const -1) (local.get $position) (i32.and (local.get $flags) (i32.const {O_APPEND})))
          {wide $iov} (local.get $pieces) (i32.const 0))
        (i64.const 0)))
      ({H}.store $heap (local.get $result) {narrow (local.get $bytes)})
      (return (i32.const 0)))
    (call $countSlow)
    (call $slow_fd_pwrite (local.get $fd) (local.get $iov) (local.get $count) (local.get $position) (local.get $result)))

  (func (export "fd_seek") (param $fd i32) (param $offset i64) (param $whence i32) (param $result {H}) (result i32)
    (local $position i64)
    {locals}
    (block $slow
      (br_if $slow (i32.gt_u (local.get $whence) (i32.const {SEEK_END})))
      (br_if $slow (i64.gt_u (i64.add (local.get $offset) (i64.const {POSITION_LIMIT})) (i64.const {POSITION_SPAN})))
      (br_if $slow (i64.gt_u {wide $result} (i64.sub {heapEnd} (i64.const 8))))
      {find}
      (br_if $slow (i32.and (local.get $flags) (i32.const {O_DIRECTORY})))
      (br_if $slow (call $lockPosition (local.get $description) (local.get $inode) (local.get $generation)))
      (block $done
        (if (i32.eq (local.get $whence) (i32.const {SEEK_CUR}))
          (then
            (local.set $position
              (i64.trunc_sat_f64_u (f64.load $pool offset={DESCRIPTION_POSITION} {p (local.get $description)})))))
        (if (i32.eq (local.get $whence) (i32.const {SEEK_END}))
          (then
            (local.set $position (call $sizeOf (local.get $inode)))
            (br_if $done (i64.lt_s (local.get $position) (i64.const 0)))))
        (local.set $position (i64.add (local.get $position) (local.get $offset)))
        (br_if $done (i64.gt_u (local.get $position) (i64.const {POSITION_LIMIT})))
        (f64.store $pool offset={DESCRIPTION_POSITION} {p (local.get $description)}
          (f64.convert_i64_u (local.get $position)))
        (call $unlockPosition (local.get $description))
        (i64.store $heap align=1 (local.get $result) (local.get $position))
        (return (i32.const 0)))
      (call $unlockPosition (local.get $description)))
    (call $countSlow)
    (call $slow_fd_seek (local.get $fd) (local.get $offset) (local.get $whence) (local.get $result)))

  ;; A file's size, read without its lock under its version; -1 where that is changing.
  (func $sizeOf (param $inode i64) (result i64)
    (local $version i32) (local $size i64)
    (local.set $version (i32.atomic.load offset={INODE_VERSION} {p (local.get $inode)}))
    (if (i32.and (local.get $version) (i32.const 1)) (then (return (i64.const -1))))
    (local.set $size (i64.trunc_sat_f64_u (f64.load $pool offset={INODE_SIZE} {p (local.get $inode)})))
    (select (local.get $size) (i64.const -1)
      (i32.eq (local.get $version) (call $fenceLoad
        (i32.wrap_i64 (i64.shr_u (i64.add (local.get $inode) (i64.const {INODE_VERSION})) (i64.const 2)))))))

  ;; -- Calls for C ---------------------------------------------------------------------------------------------------

  (func (export "extmemfs_pread") (param $fd i32) (param $to {H}) (param $size {H}) (param $position i64) (result {H})
    {locals}
    (block $slow
      (br_if $slow (i64.gt_u (local.get $position) (i64.const {POSITION_LIMIT})))
      {find}
      {readable}
      (local.set $bytes {wide $size})
      (br_if $slow (i64.gt_u (local.get $bytes) {heapEnd}))
      (br_if $slow ({H}.eqz (local.get $to)))
      (br_if $slow (i64.gt_u {wide $to} (i64.sub {heapEnd} (local.get $bytes))))
      (local.set $done (call $readAt (local.get $inode) (local.get $generation) {wide $to} (local.get $bytes)
        (local.get $position) (i64.const 0) (i32.const 0)))
      (br_if $slow (i64.lt_s (local.get $done) (i64.const 0)))
      (return {narrow (local.get $done)}))
    (call $countSlow)
    (call $slow_extmemfs_pread (local.get $fd) (local.get $to) (local.get $size) (local.get $position)))

  (func (export "extmemfs_pwrite") (param $fd i32) (param $from {H}) (param $size {H}) (param $position i64) (result {H})
    {locals}
    (block $slow
      (br_if $slow (i64.gt_u (local.get $position) (i64.const {POSITION_LIMIT})))
      {find}
      {writable}
      (local.set $bytes {wide $size})
      (br_if $slow (i64.eqz (local.get $bytes)))
      (br_if $slow (i64.gt_u (local.get $bytes) {heapEnd}))
      (br_if $slow ({H}.eqz (local.get $from)))
      (br_if $slow (i64.gt_u {wide $from} (i64.sub {heapEnd} (local.get $bytes))))
      (br_if $slow (i64.lt_s
        (call $writeAt (local.get $inode) (local.get $generation) {wide $from} (local.get $bytes)
          (select (i64.const -1) (local.get $position) (i32.and (local.get $flags) (i32.const {O_APPEND})))
          (i64.const 0) (i32.const 0) (i32.const 0))
        (i64.const 0)))
      (return (local.get $size)))
    (call $countSlow)
    (call $slow_extmemfs_pwrite (local.get $fd) (local.get $from) (local.get $size) (local.get $position)))

  (func (export "extmemfs_size") (param $fd i32) (result i64)
    {locals}
    (block $slow
      {find}
      (br_if $slow (i32.and (local.get $flags) (i32.const {O_DIRECTORY})))
      (local.set $done (call $sizeOf (local.get $inode)))
      (br_if $slow (i64.lt_s (local.get $done) (i64.const 0)))
      (return (local.get $done)))
    (call $countSlow)
    (call $slow_extmemfs_size (local.get $fd)))

  (func (export "extmemfs_read") (param $address i64) (param $to {H}) (param $size {H}) (result i32)
    (local $bytes i64)
    (block $slow
      (local.set $bytes {wide $size})
      (br_if $slow (i64.gt_u (local.get $bytes) {heapEnd}))
      (br_if $slow ({H}.eqz (local.get $to)))
      (br_if $slow (i64.gt_u {wide $to} (i64.sub {heapEnd} (local.get $bytes))))
      (br_if $slow (i64.gt_u (local.get $bytes) {poolEnd}))
      (br_if $slow (i64.gt_u (local.get $address) (i64.sub {poolEnd} (local.get $bytes))))
      {copyOut {wide $to}, (local.get $address), (local.get $bytes)}
      (return (i32.const 0)))
    (call $countSlow)
    (call $slow_extmemfs_read (local.get $address) (local.get $to) (local.get $size)))

  (func (export "extmemfs_write") (param $address i64) (param $from {H}) (param $size {H}) (result i32)
    (local $bytes i64)
    (block $slow
      (local.set $bytes {wide $size})
      (br_if $slow (i64.gt_u (local.get $bytes) {heapEnd}))
      (br_if $slow ({H}.eqz (local.get $from)))
      (br_if $slow (i64.gt_u {wide $from} (i64.sub {heapEnd} (local.get $bytes))))
      (br_if $slow (i64.gt_u (local.get $bytes) {poolEnd}))
      (br_if $slow (i64.lt_u (local.get $address) (global.get $first)))
      (br_if $slow (i64.gt_u (local.get $address) (i64.sub {poolEnd} (local.get $bytes))))
      {copyIn (local.get $address), {wide $from}, (local.get $bytes)}
      (return (i32.const 0)))
    (call $countSlow)
    (call $slow_extmemfs_write (local.get $address) (local.get $from) (local.get $size)))

  ;; -- Copies for JavaScript -----------------------------------------------------------------------------------------

  ;; What JavaScript would copy with typed arrays: 1 done, 0 where a range is beyond what this instance sees. Addresses are
  ;; doubles, which JavaScript passes without making objects.
  (func (export "copyIn") (param $to f64) (param $from f64) (param $size f64) (result i32)
    (local $bytes i64)
    (local.set $bytes (i64.trunc_sat_f64_u (local.get $size)))
    (if (i64.gt_u (i64.add (i64.trunc_sat_f64_u (local.get $from)) (local.get $bytes)) {heapEnd})
      (then (return (i32.const 0))))
    (if (i64.gt_u (i64.add (i64.trunc_sat_f64_u (local.get $to)) (local.get $bytes)) {poolEnd})
      (then (return (i32.const 0))))
    {copyIn (i64.trunc_sat_f64_u (local.get $to)), (i64.trunc_sat_f64_u (local.get $from)), (local.get $bytes)}
    (i32.const 1))

  (func (export "copyOut") (param $to f64) (param $from f64) (param $size f64) (result i32)
    (local $bytes i64)
    (local.set $bytes (i64.trunc_sat_f64_u (local.get $size)))
    (if (i64.gt_u (i64.add (i64.trunc_sat_f64_u (local.get $to)) (local.get $bytes)) {heapEnd})
      (then (return (i32.const 0))))
    (if (i64.gt_u (i64.add (i64.trunc_sat_f64_u (local.get $from)) (local.get $bytes)) {poolEnd})
      (then (return (i32.const 0))))
    {copyOut (i64.trunc_sat_f64_u (local.get $to)), (i64.trunc_sat_f64_u (local.get $from)), (local.get $bytes)}
    (i32.const 1))

  ;; -- Entries of directories ---------------------------------------------------------------------------------------

  ;; Writes a struct dirent of $room bytes at most: its length, 0 where it does not fit, -1 where the name lies beyond what
  ;; this instance sees of the pool. The caller holds the directory, and has asked that the room is in the heap.
  (func (export "putEntry") (param $place f64) (param $room i32) (param $name f64) (param $nameBytes i32) (param $type i32)
      (param $ino i32) (param $offset i32) (result i32)
    (local $at i64) (local $from i64) (local $bytes i64) (local $length i32)
    (local.set $length (i32.and (i32.add (local.get $nameBytes) (i32.const {DIRENT_NAME_END})) (i32.const -8)))
    (if (i32.gt_u (local.get $length) (local.get $room)) (then (return (i32.const 0))))
    (local.set $at (i64.trunc_sat_f64_u (local.get $place)))
    (local.set $from (i64.trunc_sat_f64_u (local.get $name)))
    (local.set $bytes (i64.extend_i32_u (local.get $nameBytes)))
    (if (i64.gt_u (i64.add (local.get $from) (local.get $bytes)) {poolEnd}) (then (return (i32.const -1))))
    (i64.store $heap {h (local.get $at)} (i64.extend_i32_u (local.get $ino)))
    (i64.store $heap offset=8 {h (local.get $at)} (i64.extend_i32_u (local.get $offset)))
    (i32.store16 $heap offset=16 {h (local.get $at)} (local.get $length))
    (i32.store8 $heap offset=18 {h (local.get $at)} (local.get $type))
    {copyOut (i64.add (local.get $at) (i64.const {DIRENT_NAME})), (local.get $from), (local.get $bytes)}
    (i32.store8 $heap offset={DIRENT_NAME} {h (i64.add (local.get $at) (local.get $bytes))} (i32.const 0))
    (local.get $length))

  ;; -- Calls of the WasmFS backend -----------------------------------------------------------------------------------

  (func (export "extmemfs_wasmfs_read") (param $ref i32) (param $generation i32) (param $to {H}) (param $size {H})
      (param $place f64) (result i32)
    (local $inode i64) (local $bytes i64) (local $position i64) (local $done i64)
    (block $slow
      {inodeOfRef}
      (br_if $slow (i64.gt_u (local.get $position) (i64.const {POSITION_LIMIT})))
      (br_if $slow (i64.gt_u {wide $to} (i64.sub {heapEnd} (local.get $bytes))))
      (local.set $done (call $readAt (local.get $inode) (local.get $generation) {wide $to} (local.get $bytes)
        (local.get $position) (i64.const 0) (i32.const 0)))
      (br_if $slow (i64.lt_s (local.get $done) (i64.const 0)))
      (return (i32.wrap_i64 (local.get $done))))
    (call $countSlow)
    (call $slow_extmemfs_wasmfs_read (local.get $ref) (local.get $generation) (local.get $to) (local.get $size)
      (local.get $place)))

  ;; At a position of -1, at the end.
  (func (export "extmemfs_wasmfs_write") (param $ref i32) (param $generation i32) (param $descriptor i32)
      (param $from {H}) (param $size {H}) (param $place f64) (result i32)
    (local $inode i64) (local $bytes i64) (local $position i64)
    (block $slow
      {inodeOfRef}
      (br_if $slow (i64.eqz (local.get $bytes)))
      (br_if $slow (i64.gt_u (i64.add (local.get $position) (i64.const 1)) (i64.const {POSITION_LIMIT})))
      (br_if $slow (i64.gt_u {wide $from} (i64.sub {heapEnd} (local.get $bytes))))
      (br_if $slow (i64.lt_s
        (call $writeAt (local.get $inode) (local.get $generation) {wide $from} (local.get $bytes) (local.get $position)
          (i64.const 0) (i32.const 0) (i32.const 0))
        (i64.const 0)))
      (return (i32.wrap_i64 (local.get $bytes))))
    (call $countSlow)
    (call $slow_extmemfs_wasmfs_write (local.get $ref) (local.get $generation) (local.get $descriptor) (local.get $from)
      (local.get $size) (local.get $place)))
)
