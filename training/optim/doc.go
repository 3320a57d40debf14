// Package optim builds optimizer steps: functions that add the next parameter and the next slots of a parameter to a graph.
//
//	o := optim.Adam(optim.AdamConfig{})
//	b := op.NewBuilder(g)
//	slots := make([]*onnx.Value, len(o.Slots))
//	for i, name := range o.Slots {
//		slots[i] = g.AddInput("w."+name, w.Type) // zeros at the start
//	}
//	next, nextSlots := o.Update(b, w, grad, slots, learningRate, step)
//	if err := b.Err(); err != nil {
//		return err
//	}
package optim
