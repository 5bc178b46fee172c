;; The intrinsics: what JavaScript can do only slowly, or not at all, with shared memory.
;;
;; A template: tools/build_intrinsics.ts expands it for 32- and 64-bit memories and for two kinds of processors and
;; embeds the binaries in intrinsics_binary.ts. Parameters that end in W are word indices (address / 4), unsigned;
;; parameters of type f64 are byte addresses or lengths (exact below 2^53; no BigInt at the boundary). Macros:
;;
;;   {PTR}            the index type of the memory
;;   {word $xW}       the byte address of a word index
;;   {byte $x}        an f64 byte address or length as an index
;;   {FENCE}          atomic.fence; nothing on processors with total store order (x86), where loads are not reordered
;;                    with loads, stores not with stores, and every atomic read-modify-write is a full barrier
;;   {RELEASE}        a 32-bit store that later readers must not see before earlier stores: i32.atomic.store, or on total
;;                    store order i32.store. Never used where a later load must wait for the store (Dekker).
;;   {step $xW}       nothing; in the build for schedule tests, a call that lets the scheduler choose who runs next
;;   {NAME}           a constant of src/layout
;;
;; Bounds: JavaScript may pass words read without a lock, hence garbage, only to bucketFind, which checks them.
(module
  (import "extmemfs" "memory" (memory {MEMORY}))
  {IMPORTS}

  ;; -- Bytes ---------------------------------------------------------------------------------------------------------

  (func (export "copy") (param $to f64) (param $from f64) (param $bytes f64)
    {stepRead $from $bytes}
    {stepWrite $to $bytes}
    (memory.copy {byte $to} {byte $from} {byte $bytes}))

  (func (export "fill") (param $at f64) (param $value i32) (param $bytes f64)
    {stepWrite $at $bytes}
    (memory.fill {byte $at} (local.get $value) {byte $bytes}))

  ;; Returns the sign of the first difference as memcmp does, 0 where there is none.
  (func (export "compare") (param $left f64) (param $right f64) (param $bytes f64) (result i32)
    (local $a {PTR}) (local $b {PTR}) (local $end {PTR})
    {stepRead $left $bytes}
    {stepRead $right $bytes}
    (local.set $a {byte $left})
    (local.set $b {byte $right})
    (local.set $end ({PTR}.add (local.get $a) {byte $bytes}))
    (block $tail
      (loop $eight
        (br_if $tail ({PTR}.lt_u ({PTR}.sub (local.get $end) (local.get $a)) ({PTR}.const 8)))
        (br_if $tail (i64.ne (i64.load align=1 (local.get $a)) (i64.load align=1 (local.get $b))))
        (local.set $a ({PTR}.add (local.get $a) ({PTR}.const 8)))
        (local.set $b ({PTR}.add (local.get $b) ({PTR}.const 8)))
        (br $eight)))
    (block $equal
      (loop $one
        (br_if $equal ({PTR}.ge_u (local.get $a) (local.get $end)))
        (if (i32.ne (i32.load8_u (local.get $a)) (i32.load8_u (local.get $b)))
          (then (return (select (i32.const -1) (i32.const 1)
            (i32.lt_u (i32.load8_u (local.get $a)) (i32.load8_u (local.get $b)))))))
        (local.set $a ({PTR}.add (local.get $a) ({PTR}.const 1)))
        (local.set $b ({PTR}.add (local.get $b) ({PTR}.const 1)))
        (br $one)))
    (i32.const 0))

  ;; -- Atomics -------------------------------------------------------------------------------------------------------

  (func (export "load") (param $atW i32) (result i32)
    {stepLoad $atW}
    (i32.atomic.load {word $atW}))

  (func (export "store") (param $atW i32) (param $value i32)
    {step $atW}
    (i32.atomic.store {word $atW} (local.get $value)))

  ;; Returns the old value, as the four below do.
  (func (export "compareExchange") (param $atW i32) (param $expected i32) (param $value i32) (result i32)
    {step $atW}
    (i32.atomic.rmw.cmpxchg {word $atW} (local.get $expected) (local.get $value)))

  (func (export "exchange") (param $atW i32) (param $value i32) (result i32)
    {step $atW}
    (i32.atomic.rmw.xchg {word $atW} (local.get $value)))

  (func (export "add") (param $atW i32) (param $value i32) (result i32)
    {step $atW}
    (i32.atomic.rmw.add {word $atW} (local.get $value)))

  (func (export "and") (param $atW i32) (param $value i32) (result i32)
    {step $atW}
    (i32.atomic.rmw.and {word $atW} (local.get $value)))

  (func (export "or") (param $atW i32) (param $value i32) (result i32)
    {step $atW}
    (i32.atomic.rmw.or {word $atW} (local.get $value)))

  (func (export "fence")
    {FENCE})

  ;; Orders the loads before it before the load that it does: the second half of a read validated by a version.
  (func (export "fenceLoad") (param $atW i32) (result i32)
    {FENCE}
    {stepLoad $atW}
    (i32.atomic.load {word $atW}))

  {WAIT}

  ;; -- Locks (src/layout/lock_word.ts, docs/locking.md) --------------------------------------------------------------

  ;; Takes a lock exclusively if nobody holds it. The intention is recorded in the slot first, so that the agent that
  ;; finds the lock held by a dead owner, and the agent that freezes, know what this one holds.
  ;; Returns 0 held; 1 contended, not held; 2 held, but mutation is frozen (only asked at the outermost lock: $held = 0);
  ;; 3 held, but this agent has been retired; 4 held, but readers may still be inside.
  (func (export "lockExclusive") (param $lockW i32) (param $owner i32) (param $slotW i32) (param $held i32)
      (param $tableW i32) (param $state i32) (result i32)
    (local $old i32) (local $recordW i32) (local $frozen i32)
    (local.set $recordW (i32.add (local.get $slotW) (i32.add (i32.const {SLOT_HELD}) (local.get $held))))
    {step $recordW}
    ({RELEASE} {word $recordW} (local.get $lockW))
    {step $lockW}
    (local.set $old (i32.atomic.rmw.cmpxchg {word $lockW} (i32.const 0) (local.get $owner)))
    (if (local.get $old)
      (then
        (if (i32.ne (local.get $old) (i32.const {LOCK_READERS})) (then (return (i32.const 1))))
        {step $lockW}
        (if (i32.ne (local.get $old)
              (i32.atomic.rmw.cmpxchg {word $lockW} (local.get $old)
                (i32.or (local.get $owner) (i32.const {LOCK_READERS}))))
          (then (return (i32.const 1))))))
    (if (i32.eqz (local.get $held))
      (then
        (local.set $recordW (i32.add (local.get $tableW) (i32.const {TABLE_FREEZE})))
        {stepLoad $recordW}
        ;; Pairs with the freezer's store: it stores the freeze, then looks at the held records and lock words.
        (local.set $frozen (i32.atomic.load {word $recordW}))
        (if (i32.and (i32.ne (local.get $frozen) (i32.const 0)) (i32.ne (local.get $frozen) (local.get $owner)))
          (then (return (i32.const 2))))))
    ;; The pool's inner locks are not asked for: what the outermost has let begin is finished.
    (if (i32.ge_u (i32.sub (local.get $held) (i32.const 1)) (i32.const {SLOT_HELD_INNER}))
      (then
        {stepLoad $slotW}
        (if (i32.ne (i32.atomic.load {word $slotW}) (local.get $state)) (then (return (i32.const 3))))))
    (if (local.get $old) (then (return (i32.const 4))))
    (i32.const 0))

  ;; Releases a lock held exclusively and wakes one that is parked on it; where a waiter has a reservation, that one.
  ;; Changes nothing but the record where the lock is no longer the caller's (it was retired, and its locks repaired).
  (func $unlockExclusive (export "unlockExclusive") (param $lockW i32) (param $owner i32) (param $slotW i32) (param $held i32)
    (local $old i32) (local $recordW i32)
    (local.set $recordW (i32.add (local.get $slotW) (i32.add (i32.const {SLOT_HELD}) (local.get $held))))
    {step $lockW}
    (local.set $old (i32.atomic.rmw.cmpxchg {word $lockW} (local.get $owner) (i32.const 0)))
    {step $recordW}
    ({RELEASE} {word $recordW} (i32.const 0))
    (if (i32.ne (local.get $old) (local.get $owner))
      (then (call $releaseSlow (local.get $lockW) (local.get $owner) (local.get $old) (i32.const 0)))))

  ;; Releases a lock whose state word has flags; $old is the state word as last seen. $keep: flags that stay, READERS
  ;; where readers may still be inside. RESERVED stays, and with it PARKED: those parked on the state word sleep on, the
  ;; waiter that has the reservation is parked on its own word, which changes so that it cannot miss this.
  (func $releaseSlow (export "releaseSlow") (param $lockW i32) (param $owner i32) (param $old i32) (param $keep i32)
    (local $seen i32) (local $new i32) (local $reservationW i32)
    (loop $again
      (if (i32.ne (i32.and (local.get $old) (i32.const {LOCK_OWNER})) (local.get $owner)) (then (return)))
      (local.set $new (i32.and (local.get $old) (local.get $keep)))
      (if (i32.and (local.get $old) (i32.const {LOCK_RESERVED}))
        (then (local.set $new (i32.or (local.get $new)
          (i32.and (local.get $old) (i32.const {LOCK_RESERVED_PARKED}))))))
      {step $lockW}
      (local.set $seen (i32.atomic.rmw.cmpxchg {word $lockW} (local.get $old) (local.get $new)))
      (if (i32.ne (local.get $seen) (local.get $old))
        (then (local.set $old (local.get $seen)) (br $again))))
    (if (i32.and (local.get $old) (i32.const {LOCK_RESERVED}))
      (then
        (local.set $reservationW (i32.add (local.get $lockW) (i32.const {LOCK_RESERVATION})))
        (call $bump (local.get $reservationW)))
      (else
        (if (i32.and (local.get $old) (i32.const {LOCK_PARKED}))
          (then {notifyOne $lockW})))))

  ;; Changes a reservation word, by one millisecond of its deadline, and wakes who is parked on it. Who is about to park
  ;; there has read it before looking at what changed, so that it cannot miss the change.
  (func $bump (export "bump") (param $reservationW i32)
    {step $reservationW}
    (drop (i32.atomic.rmw.add {word $reservationW} (i32.const {LOCK_RESERVATION_TICK})))
    {notifyAll $reservationW})

  ;; Takes a lock shared by publishing it in the caller's own pin, if no writer holds or has reserved it.
  ;; The pin's store and the load of the state word are sequentially consistent, as are the writer's exchange of the
  ;; state word and its scan of the pins: at least one of the two sees the other (Dekker). Returns 0 held, 1 not.
  (func (export "lockShared") (param $lockW i32) (param $pinW i32) (result i32)
    (local $old i32)
    {step $pinW}
    (i32.atomic.store {word $pinW} (local.get $lockW))
    {stepLoad $lockW}
    (local.set $old (i32.atomic.load {word $lockW}))
    (if (i32.eq (local.get $old) (i32.const {LOCK_READERS})) (then (return (i32.const 0))))
    (if (i32.eqz (i32.and (local.get $old) (i32.const {LOCK_BARS_READERS})))
      (then
        ;; The hint may be missing: a writer that comes before this exchange does not scan, but then it shows in $old.
        {step $lockW}
        (local.set $old (i32.atomic.rmw.or {word $lockW} (i32.const {LOCK_READERS})))
        (if (i32.eqz (i32.and (local.get $old) (i32.const {LOCK_BARS_READERS}))) (then (return (i32.const 0))))))
    (call $leave (local.get $lockW) (local.get $pinW))
    (i32.const 1))

  ;; Gives up a pin and wakes the writer that waits for readers to leave, which is parked on the reservation word.
  ;; Dekker again: the pin's store and this load against the writer's setting of DRAINING and its scan.
  (func $leave (export "unlockShared") (param $lockW i32) (param $pinW i32)
    {step $pinW}
    (i32.atomic.store {word $pinW} (i32.const 0))
    {stepLoad $lockW}
    (if (i32.and (i32.atomic.load {word $lockW}) (i32.const {LOCK_DRAINING}))
      (then (call $bump (i32.add (local.get $lockW) (i32.const {LOCK_RESERVATION}))))))

  ;; The first slot at or after $from, below the high mark, with a pin on the lock; -1 where there is none.
  (func (export "findPin") (param $lockW i32) (param $tableW i32) (param $from i32) (result i32)
    (local $slot i32) (local $high i32) (local $atW i32) (local $endW i32)
    (local.set $atW (i32.add (local.get $tableW) (i32.const {TABLE_HIGH})))
    {stepLoad $atW}
    (local.set $high (i32.atomic.load {word $atW}))
    (local.set $slot (local.get $from))
    (block $none
      (loop $slots
        (br_if $none (i32.ge_u (local.get $slot) (local.get $high)))
        (local.set $atW (i32.add (i32.add (local.get $tableW) (i32.const {SLOT_PINS_IN_TABLE}))
          (i32.mul (local.get $slot) (i32.const {SLOT_WORDS}))))
        (local.set $endW (i32.add (local.get $atW) (i32.const {SLOT_PIN_COUNT})))
        (loop $pins
          {stepLoad $atW}
          (if (i32.eq (i32.atomic.load {word $atW}) (local.get $lockW)) (then (return (local.get $slot))))
          (local.set $atW (i32.add (local.get $atW) (i32.const 1)))
          (br_if $pins (i32.lt_u (local.get $atW) (local.get $endW))))
        (local.set $slot (i32.add (local.get $slot) (i32.const 1)))
        (br $slots)))
    (i32.const -1))

  ;; -- Versions ------------------------------------------------------------------------------------------------------

  ;; Makes a version odd before guarded words change. The fence keeps the changes behind it.
  (func $beginChange (export "beginChange") (param $versionW i32)
    {step $versionW}
    (drop (i32.atomic.rmw.add {word $versionW} (i32.const 1)))
    {FENCE})

  ;; Makes a version even after they have changed. Only the holder of the lock changes the version, so that a plain load
  ;; suffices.
  (func $endChange (export "endChange") (param $versionW i32)
    {step $versionW}
    ({RELEASE} {word $versionW} (i32.add (i32.load {word $versionW}) (i32.const 1))))

  ;; Sets an inode's size and its modification and change time, as one change.
  (func $publishWrite (export "publishWrite") (param $inodeW i32) (param $size f64) (param $time f64)
    (local $versionW i32)
    (local.set $versionW (i32.add (local.get $inodeW) (i32.const {INODE_VERSION})))
    (call $beginChange (local.get $versionW))
    {stepWords $inodeW {INODE_SIZE} 2 1}
    (f64.store offset={INODE_SIZE_BYTE} {word $inodeW} (local.get $size))
    {stepWords $inodeW {INODE_MTIME} 2 1}
    (f64.store offset={INODE_MTIME_BYTE} {word $inodeW} (local.get $time))
    {stepWords $inodeW {INODE_CTIME} 2 1}
    (f64.store offset={INODE_CTIME_BYTE} {word $inodeW} (local.get $time))
    (call $endChange (local.get $versionW)))

  ;; The end of a write: the new size and time, then the inode's lock, which is its first word, is released.
  (func (export "publishAndUnlock") (param $inodeW i32) (param $size f64) (param $time f64) (param $owner i32)
      (param $slotW i32) (param $held i32)
    (call $publishWrite (local.get $inodeW) (local.get $size) (local.get $time))
    (call $unlockExclusive (local.get $inodeW) (local.get $owner) (local.get $slotW) (local.get $held)))

  ;; -- Directories ---------------------------------------------------------------------------------------------------

  ;; Finds a name in a bucket: the index of its entry, or -1. The bucket may be garbage (a reader without the lock):
  ;; nothing outside the memory is touched, and the loop ends after at most 65536 / 12 entries. $nameW is the word of a
  ;; buffer and $nameOffset the name's byte offset in it.
  (func (export "bucketFind") (param $bucketW i32) (param $hash i32) (param $nameW i32) (param $nameOffset i32)
      (param $nameBytes i32) (result i32)
    (local $at {PTR}) (local $index i32) (local $count i32) (local $name i32) (local $a {PTR}) (local $b {PTR})
    (local $left i32) (local $base {PTR}) (local $end {PTR})
    (local.set $base {word $bucketW})
    (local.set $end {memoryBytes})
    (if ({PTR}.gt_u (local.get $base) ({PTR}.sub (local.get $end) ({PTR}.const 16))) (then (return (i32.const -1))))
    ;; As much as the usual bucket takes; the search itself is one step.
    {stepWords $bucketW 0 254 0}
    (local.set $count (i32.load (local.get $base)))
    (if (i32.gt_u (local.get $count) (i32.const 5460)) (then (return (i32.const -1))))
    (local.set $at ({PTR}.add (local.get $base) ({PTR}.const {BUCKET_ENTRIES_BYTE})))
    (block $none
      (loop $entries
        (br_if $none (i32.ge_u (local.get $index) (local.get $count)))
        (br_if $none ({PTR}.gt_u (local.get $at)
          ({PTR}.sub (local.get $end) ({PTR}.const 12))))
        (if (i32.eq (i32.load (local.get $at)) (local.get $hash))
          (then
            (local.set $name (i32.load offset={ENTRY_NAME_BYTE} (local.get $at)))
            (if (i32.eq (i32.and (i32.shr_u (local.get $name) (i32.const 16)) (i32.const 255)) (local.get $nameBytes))
              (then
                (local.set $a ({PTR}.add (local.get $base) {extend (i32.and (local.get $name) (i32.const 0xffff))}))
                (local.set $b ({PTR}.add {word $nameW} {extend (local.get $nameOffset)}))
                (local.set $left (local.get $nameBytes))
                (br_if $none ({PTR}.gt_u ({PTR}.add (local.get $a) {extend (local.get $left)})
                  (local.get $end)))
                (block $differs
                  (loop $bytes
                    (if (i32.eqz (local.get $left)) (then (return (local.get $index))))
                    (br_if $differs (i32.ne (i32.load8_u (local.get $a)) (i32.load8_u (local.get $b))))
                    (local.set $a ({PTR}.add (local.get $a) ({PTR}.const 1)))
                    (local.set $b ({PTR}.add (local.get $b) ({PTR}.const 1)))
                    (local.set $left (i32.sub (local.get $left) (i32.const 1)))
                    (br $bytes)))))))
        (local.set $at ({PTR}.add (local.get $at) ({PTR}.const 12)))
        (local.set $index (i32.add (local.get $index) (i32.const 1)))
        (br $entries)))
    (i32.const -1))
)
