;; What the components of the tests begin with: the types that they share, what the host does for them, a memory.
;;
;; A `value` is a list of parts of 16 bytes each: the tag in the first byte, what it holds from the eighth. Whatever is
;; only passed through is given back where it lies. Below 1024 the memory is the module's own.
(type $shared (instance
  (type $table' (record (field "ipc" (list u8))))
  (export "table" (type $table (eq $table')))
  (type $part' (variant (case "null") (case "bool" bool) (case "int" s64) (case "float" f64) (case "text" string)
    (case "bytes" (list u8)) (case "list" (list u32)) (case "map" (list (tuple string u32))) (case "table" $table)))
  (export "part" (type $part (eq $part')))
  (type $value' (record (field "parts" (list $part))))
  (export "value" (type (eq $value')))
  (type $cause' (record (field "class" string) (field "message" string) (field "traceback" (option string))))
  (export "cause" (type $cause (eq $cause')))
  (type $error' (record (field "class" string) (field "message" string) (field "hint" (option string))
    (field "causes" (list $cause)) (field "traceback" (option string))))
  (export "error" (type (eq $error')))))
(import "modrack:types/values@1.0.0" (instance $values (type $shared)))
(alias export $values "value" (type $value))
(alias export $values "error" (type $error))
(alias export $values "table" (type $table))

(import "modrack:host/host@1.0.0" (instance $host
  (alias outer 1 $value (type $v'))
  (export "value" (type $v (eq $v')))
  (alias outer 1 $error (type $e'))
  (export "error" (type $e (eq $e')))
  (export "config" (func (param "key" string) (result (option $v))))
  (export "call" (func (param "slot" string) (param "function" (option string)) (param "args" (list $v))
    (result (result $v (error $e)))))))

;; A memory, and an allocator that never frees.
(core module $room
  (memory (export "memory") 1)
  (global $top (mut i32) (i32.const 1024))
  (func (export "realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $top) (i32.const 15)) (i32.const -16)))
    (global.set $top (i32.add (local.get $at) (local.get 3)))
    (if (i32.gt_u (global.get $top) (i32.mul (memory.size) (i32.const 65536)))
      (then (drop (memory.grow (i32.add (i32.div_u (local.get 3) (i32.const 65536)) (i32.const 1))))))
    (local.get $at)))
(core instance $room (instantiate $room))
(alias core export $room "memory" (core memory $memory))
(alias core export $room "realloc" (core func $realloc))
(core func $config (canon lower (func $host "config") (memory $memory) (realloc $realloc)))
(core func $call (canon lower (func $host "call") (memory $memory) (realloc $realloc)))
