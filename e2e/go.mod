module github.com/seed-6c01d079/notify/e2e

go 1.26.0

require github.com/seed-6c01d079/notify v0.1.0

replace github.com/seed-6c01d079/notify => ..
