package pickle

import (
	"fmt"
	"math/big"
	"strconv"

	"graft/onnx/limits"
)

// kindOf names the kind of a value on the stack.
func kindOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		return "a bool"
	case int64, *big.Int:
		return "an integer"
	case float64:
		return "a float"
	case string:
		return "a string"
	case []byte:
		return "bytes"
	case *list:
		return "a list"
	case *tuple:
		return "a tuple"
	case *dict:
		return "a dict"
	case *tensor:
		return "a tensor"
	case *storage:
		return "a storage"
	case global:
		return v.name
	}
	return "an unknown value"
}

// keyText prints a dict's key.
func keyText(key any) string {
	if s, ok := key.(string); ok {
		return limits.Name(s)
	}
	return fmt.Sprint(key)
}

// at says where in the file.
func at(offset int64) string { return " at byte " + strconv.FormatInt(offset, 10) }
