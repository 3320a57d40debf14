package limits

// Bools wants every byte to be 0 or 1, as the elements of a bool tensor must be.
func Bools(b []byte, field string) error {
	for i, v := range b {
		if v > 1 {
			return Refuse(field, "bool element %d is %d, neither 0 nor 1", i, v)
		}
	}
	return nil
}
