package runtime

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// MemoryError says that a model does not fit into a device's memory, or the computer's.
type MemoryError struct {
	Requested int64  // bytes that were asked for; 0: ONNX Runtime does not say
	Available int64  // bytes that a limit leaves; -1: ONNX Runtime does not say
	Operator  string // whose node asked; empty while the model was opened
	Node      string // its name
}

func (e *MemoryError) Error() string {
	var b strings.Builder
	b.WriteString("out of memory: ")
	if e.Requested > 0 {
		fmt.Fprintf(&b, "%s were asked for", bytesText(e.Requested))
	} else {
		b.WriteString("an allocation failed")
	}
	switch {
	case e.Operator == "":
		b.WriteString(" while the model was opened")
	case e.Node == "":
		fmt.Fprintf(&b, " by a %s", e.Operator)
	default:
		fmt.Fprintf(&b, " by %s %q", e.Operator, e.Node)
	}
	if e.Available >= 0 {
		fmt.Fprintf(&b, ", %s are left", bytesText(e.Available))
	}
	return b.String()
}

// Unwrap makes it an ErrRuntime.
func (e *MemoryError) Unwrap() error { return ErrRuntime }

// bytesText is "2830172160 bytes (2.64 GiB)".
func bytesText(n int64) string {
	if n < 1<<20 {
		return fmt.Sprintf("%d bytes", n)
	}
	if n < 1<<30 {
		return fmt.Sprintf("%d bytes (%.4g MiB)", n, float64(n)/(1<<20))
	}
	return fmt.Sprintf("%d bytes (%.4g GiB)", n, float64(n)/(1<<30))
}

// How ONNX Runtime says it: the first two are its arena's, which every provider has, the others those of CUDA's libraries.
var (
	requestedBytes = regexp.MustCompile(`Failed to allocate memory for requested buffer of size (\d+)`)
	limitedBytes   = regexp.MustCompile(`Available memory of (\d+) is smaller than requested bytes of (\d+)`)
	deviceFull     = regexp.MustCompile(`CUDA failure 2: |CUBLAS failure 3: |CUBLAS_STATUS_ALLOC_FAILED|CUDNN_STATUS_ALLOC_FAILED|CUDNN failure 4003|CUFFT_ALLOC_FAILED|std::bad_alloc`)
	runningNode    = regexp.MustCompile(`while running (\S+) node\. Name:'([^']*)'`)
)

// memoryError is what err says of memory that ran out; nil when it is about something else.
func memoryError(err error) *MemoryError {
	msg := fullMessage(err)
	e := &MemoryError{Available: -1}
	if m := limitedBytes.FindStringSubmatch(msg); m != nil {
		e.Available, e.Requested = number(m[1]), number(m[2])
	} else if m := requestedBytes.FindStringSubmatch(msg); m != nil {
		e.Requested = number(m[1])
	} else if !deviceFull.MatchString(msg) {
		return nil
	}
	if m := runningNode.FindStringSubmatch(msg); m != nil {
		e.Operator, e.Node = oneLine(m[1]), oneLine(m[2])
	}
	return e
}

// number reads digits; what is beyond int64 is the largest.
func number(digits string) int64 {
	n, _ := strconv.ParseInt(digits, 10, 64) // gives the largest when out of range
	return n
}

// fullMessage is ONNX Runtime's whole text of a failure.
func fullMessage(err error) string {
	var whole interface{ full() string }
	if errors.As(err, &whole) {
		return whole.full()
	}
	return err.Error()
}
