package runtime

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

// cudaDriver is what NVIDIA's driver says of itself, read through its own library (libcuda.so.1). That is what the provider
// itself talks to, so that the numbers of the devices are those of device_id, CUDA_VISIBLE_DEVICES counts, and no other
// program has to be there: nvidia-smi and /proc/driver/nvidia list all cards, in another order, and are often missing in a
// container.
type cudaDriver struct {
	version int    // of CUDA that it supports: 13000
	problem string // why it does not start; empty when it does
	devices []cudaDevice
}

// cudaDevice is a device; its place in the list is its device_id.
type cudaDevice struct {
	name         string
	memory       int64
	major, minor int // compute capability
}

func (d *cudaDriver) versionText() string {
	return fmt.Sprintf("%d.%d", d.version/1000, d.version%1000/10)
}

// deviceList is `0 "NVIDIA H100", 1 "NVIDIA H100"`.
func (d *cudaDriver) deviceList() string {
	names := make([]string, len(d.devices))
	for i, device := range d.devices {
		names[i] = fmt.Sprintf("%d %q", i, device.name)
	}
	return strings.Join(names, ", ")
}

// noDevice says that a device_id is beyond the devices that there are.
func noDevice(provider string, id int, d *cudaDriver) error {
	return &MissingError{
		What: fmt.Sprintf("open session: %s has no device %d: there are %s", provider, id, d.deviceList()),
		Fix:  "choose one with --device-id",
	}
}

// oldestDriver is the oldest driver for a CUDA.
var oldestDriver = map[int]int{12: 525, 13: 580}

// lackingDriver says what keeps a driver that is there from running a provider for a CUDA.
func (d *cudaDriver) lackingDriver(major int) *lack {
	switch {
	case d.version > 0 && d.version/1000 < major:
		l := &lack{what: fmt.Sprintf("NVIDIA driver: it supports CUDA %s at most, the provider is for CUDA %d", d.versionText(), major),
			fix: fmt.Sprintf("install a driver for CUDA %d", major)}
		if oldest := oldestDriver[major]; oldest > 0 {
			l.fix += fmt.Sprintf(" (%d or newer)", oldest)
		}
		l.fix += fmt.Sprintf(", or a provider for CUDA %d", d.version/1000)
		return l
	case d.problem != "":
		return &lack{what: "NVIDIA driver: " + d.problem, fix: deviceFix["100"]}
	case len(d.devices) == 0:
		return &lack{what: "NVIDIA driver: it sees no device", fix: deviceFix["100"]}
	}
	return nil
}

var driverVersion = regexp.MustCompile(`\b\d{3}\.\d{1,4}(\.\d{1,4})?\b`)

// kernelDriver is the version of NVIDIA's driver in the kernel, empty when there is none.
func kernelDriver() string {
	text, err := os.ReadFile("/proc/driver/nvidia/version")
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return driverVersion.FindString(line)
}
