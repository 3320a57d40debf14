package runtime

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	cudaFailure   = regexp.MustCompile(`(CUDA|CUBLAS|CUDNN) failure (\d+): ([^;]+?) ; GPU=`)
	invalidDevice = regexp.MustCompile(`Invalid device ID: (-?\d+), must be between 0 \(inclusive\) and (\d+) \(exclusive\)|Invalid device id\. Device id should be less than total number of devices \((\d+)\)`)
	badOption     = regexp.MustCompile(`Failed to parse provider option "([^"]+)"`)
	unknownOption = regexp.MustCompile(`[Uu]nknown provider option[^"'\x60]*["'\x60]([^"'\x60]+)["'\x60]`)
)

// deviceFix is what to do about failures of CUDA that have one cause, by their number.
var deviceFix = map[string]string{
	"35":  "install the newest NVIDIA driver, or a provider for an older CUDA",
	"100": "is there an NVIDIA device, and may this user and CUDA_VISIBLE_DEVICES see it?",
	"101": "graft runtime info lists the devices there are; choose one with --device-id",
	"209": "this provider library has no code for the device's compute capability: install one that has",
	"802": "the driver is still starting, or nvidia-fabricmanager does not run",
}

// deviceError is what err says of a device that does not start; nil when it is about something else.
func deviceError(err error, provider string) *MissingError {
	msg := fullMessage(err)
	e := &MissingError{Fix: "graft runtime info says what is missing; or use --provider cpu"}
	if m := invalidDevice.FindStringSubmatch(msg); m != nil {
		count := m[2] + m[3]
		e.What = fmt.Sprintf("open session: %s has no such device: there is %s", provider, devices(count))
		if m[1] != "" {
			e.What = fmt.Sprintf("open session: %s has no device %s: there is %s", provider, m[1], devices(count))
		}
		e.Fix = deviceFix["101"]
		return e
	}
	m := cudaFailure.FindStringSubmatch(msg)
	switch {
	case m != nil:
		e.What = fmt.Sprintf("open session: %s does not start: %s failure %s: %s", provider, m[1], m[2], oneLine(m[3]))
		if fix := deviceFix[m[2]]; m[1] == "CUDA" && fix != "" {
			e.Fix = fix
		}
	case strings.Contains(msg, "cuDNN is not available") || strings.Contains(msg, "cuDNN is unavailable"):
		e.What = fmt.Sprintf("open session: %s has no cuDNN, which this model needs", provider)
		e.Fix = fixCuDNN
	case strings.Contains(msg, "Failed to create "+provider), strings.Contains(msg, "CUDA error"),
		strings.Contains(msg, "Failed to get a WebGPU adapter"):
		e.What = fmt.Sprintf("open session: %s does not start: %s", provider, withoutPlace(msg))
	default:
		return nil
	}
	return e
}

// DeviceError says that a device failed while it ran: it was lost, or a kernel went wrong. Nothing that lies there can be read any more.
type DeviceError struct {
	What     string // "CUDA failure 719: unspecified launch failure"
	Operator string // whose node ran; empty where ONNX Runtime does not say
}

func (e *DeviceError) Error() string {
	s := "the device failed: " + e.What
	if e.Operator != "" {
		s += " in " + e.Operator
	}
	return s
}

// Unwrap makes it an ErrRuntime.
func (e *DeviceError) Unwrap() error { return ErrRuntime }

// runDeviceError is what err says of a device that failed in a run; nil when it is about something else.
func runDeviceError(err error) *DeviceError {
	msg := fullMessage(err)
	m := cudaFailure.FindStringSubmatch(msg)
	if m == nil {
		return nil
	}
	e := &DeviceError{What: fmt.Sprintf("%s failure %s: %s", m[1], m[2], oneLine(m[3]))}
	if m := runningNode.FindStringSubmatch(msg); m != nil {
		e.Operator = oneLine(m[1])
	}
	return e
}

// devices is "device_id 0 to 3" for a count of 4.
func devices(count string) string {
	switch count {
	case "0":
		return "none"
	case "1":
		return "one, device_id 0"
	}
	return "device_id 0 to " + strconv.FormatInt(number(count)-1, 10)
}

var statusMark = regexp.MustCompile(`\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : `)

// withoutPlace is ONNX Runtime's message without the place in its code and the condition that it begins with.
func withoutPlace(msg string) string {
	if at := statusMark.FindAllStringIndex(msg, -1); at != nil {
		msg = msg[at[len(at)-1][1]:]
	}
	if at := strings.LastIndex(msg, " was false. "); at >= 0 {
		msg = msg[at+len(" was false. "):]
	}
	return oneLine(msg)
}

// startError is why a provider could not be added to a session with options: it has none of that name or value, or what
// keeps it from starting.
func (m machine) startError(err error, provider, dir string, options map[string]string) error {
	if found := unknownOption.FindStringSubmatch(fullMessage(err)); found != nil {
		return fmt.Errorf("open session: %w: %s has no %s", ErrOption, provider, oneLine(found[1]))
	}
	if found := badOption.FindStringSubmatch(fullMessage(err)); found != nil {
		return fmt.Errorf("open session: %w: %s does not take %s=%s", ErrOption, provider, oneLine(found[1]), oneLine(options[found[1]]))
	}
	if e := m.lackError(provider, dir); e != nil {
		return e
	}
	if e := deviceError(err, provider); e != nil {
		return e
	}
	return &MissingError{
		What: fmt.Sprintf("open session: %s does not start: %s", provider, withoutPlace(fullMessage(err))),
		Fix:  "install what it needs, or use --provider cpu",
	}
}

// openError tells a device that does not work, and one that is full, from a model that is refused.
func (m machine) openError(err error, provider, dir string) error {
	if full := memoryError(err); full != nil {
		return full
	}
	if provider != CPU {
		if e := deviceError(err, provider); e != nil {
			if lacks := m.lackError(provider, dir); lacks != nil {
				return lacks
			}
			return e
		}
	}
	return fmt.Errorf("%w: %s", ErrModel, oneLine(strings.TrimPrefix(err.Error(), "Error creating C session: ")))
}

// lackError is the first thing that keeps a provider from starting on this machine; nil when there is none.
func (m machine) lackError(provider, dir string) error {
	lacks := slices.DeleteFunc(m.lacking(provider, dir), func(l lack) bool { return l.optional })
	if len(lacks) > 0 {
		e := &MissingError{What: fmt.Sprintf("open session: %s does not start: %s", provider, lacks[0].what), Fix: lacks[0].fix}
		if len(lacks) > 1 {
			e.Fix += fmt.Sprintf("; graft runtime info --provider %s lists what else is missing", shortName(provider))
		}
		return e
	}
	return nil
}
