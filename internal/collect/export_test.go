package collect

// SetStep sets what is called before each step that a crash could divide from the next.
func SetStep(o *Options, step func(name string)) { o.step = step }
