//go:build cgo

package runtime

/*
#include "capi.h"
*/
import "C"

import (
	"fmt"

	ort "github.com/yalue/onnxruntime_go"
)

func describe(info *Information, o Options) error {
	env, err := loadWith(o, false)
	if err != nil {
		return err
	}
	info.setLibrary(env.library)
	info.Providers = append(info.Providers, env.providers...)
	devices, err := ort.GetEpDevices()
	if err != nil {
		info.Missing = append(info.Missing, "devices: "+oneLine(err.Error()))
	}
	for _, d := range devices {
		device := Device{Provider: d.EpName()}
		device.Kind, device.Vendor = env.hardware(pointerIn(d, "p"))
		info.Devices = append(info.Devices, device)
	}
	info.setDevices(thisMachine)
	_, err = env.provider(o)
	return err
}

// hardware describes the hardware of an OrtEpDevice.
func (c *capi) hardware(device handle) (kind, vendor string) {
	if device == nil {
		return "", ""
	}
	hardware := C.ep_hardware(c.table, device)
	if hardware == nil {
		return "", ""
	}
	n := int(C.hardware_type(c.table, hardware))
	kinds := []string{"cpu", "gpu", "npu"}
	kind = fmt.Sprint(n)
	if n >= 0 && n < len(kinds) {
		kind = kinds[n]
	}
	if s := C.hardware_vendor(c.table, hardware); s != nil {
		vendor = oneLine(C.GoString(s))
	}
	return kind, vendor
}
