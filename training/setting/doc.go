// Package setting describes the numbers that an optimizer or a loss can be made with, so that command lines, contracts and
// programs take them from one table.
//
//	list := []setting.Setting{{Name: "momentum", Usage: "part of the last step that is kept", Default: 0.9, High: 1}}
//	values, err := setting.Resolve(list, map[string]float64{"momentum": 0.5})
//	if err != nil {
//		return err // `no setting "momentun": there are momentum`
//	}
//	use(values["momentum"])
package setting
